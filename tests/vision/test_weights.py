"""Downloads against a server on loopback: whole, wrong, truncated, broken off and resumed; paths
and messages."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tools.vision import weights_cli
from tools.vision.weights import MODELS, Model, WeightFile, WeightsError, WeightStore

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
SIZE = len(CONTENT)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT with ranges; ``cut`` bytes after which the connections of the next answers
    break off."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []
        self.honour_ranges = True

    def url(self, name: str = "net.bin") -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = (
            int(asked.removeprefix("bytes=").rstrip("-"))
            if asked and self.server.honour_ranges
            else 0
        )
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def store_of(server, folder, size=SIZE, sha256=DIGEST):
    model = Model(
        "tiny",
        "segmenter",
        "MIT",
        "somewhere",
        (WeightFile("net.bin", server.url(), size, sha256),),
    )
    return WeightStore(folder, models={"tiny": model})


def test_a_download_is_verified_and_found_again(server, tmp_path):
    store = store_of(server, tmp_path)
    seen = []
    (path,) = store.get("tiny", lambda what, done, total: seen.append((what, done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("net.bin", len(CONTENT), len(CONTENT))
    assert store.require("tiny") == (path,)
    assert store.digest("tiny") == DIGEST
    store.get("tiny")
    assert len(server.ranges) == 1, "what is there is not fetched again"


def test_a_connection_that_breaks_off_is_taken_up_where_it_stopped(server, tmp_path):
    server.cuts = [100_000, 50_000]
    (path,) = store_of(server, tmp_path).get("tiny")
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_an_interrupted_download_is_resumed_by_the_next_call(server, tmp_path):
    part = tmp_path / "tiny" / "net.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:120_000])
    (path,) = store_of(server, tmp_path).get("tiny")
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=120000-"]
    assert not part.exists()


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.honour_ranges = False
    part = tmp_path / "tiny" / "net.bin.part"
    part.parent.mkdir()
    part.write_bytes(b"something else" * 1000)
    (path,) = store_of(server, tmp_path).get("tiny")
    assert path.read_bytes() == CONTENT


def test_a_wrong_checksum_removes_the_download(server, tmp_path):
    with pytest.raises(
        WeightsError,
        match=r"expected net\.bin with 300000 bytes, SHA-256 000000.*got 300,000 bytes.*removed",
    ):
        store_of(server, tmp_path, sha256="0" * 64).get("tiny")
    assert list((tmp_path / "tiny").iterdir()) == []


def test_a_file_that_is_shorter_than_published_is_refused(server, tmp_path):
    store = store_of(server, tmp_path, size=len(CONTENT) + 1)
    with pytest.raises(
        WeightsError, match=r"expected net\.bin with 300001 bytes.*got 300,000 bytes"
    ):
        store.get("tiny")
    assert not (tmp_path / "tiny" / "net.bin").exists()


def test_a_truncated_file_under_its_final_name_is_not_used(server, tmp_path):
    store = store_of(server, tmp_path)
    path = store.path("tiny", store.model("tiny").files[0])
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(
        WeightsError,
        match=r"expected .*net\.bin \(300,000 bytes\), got 299,999 bytes; run run-agent weights "
        r"get tiny",
    ):
        store.require("tiny")


def test_a_changed_file_of_the_right_size_is_not_used(server, tmp_path):
    store = store_of(server, tmp_path)
    (path,) = store.get("tiny")
    path.write_bytes(CONTENT[:-1] + b"\0")
    with pytest.raises(WeightsError, match="SHA-256"):
        store.require("tiny")


def test_what_nobody_published_a_checksum_of_is_loaded_only_when_told_to(server, tmp_path):
    store = store_of(server, tmp_path, sha256="")
    (path,) = store.get("tiny")
    with pytest.raises(WeightsError, match=f"{DIGEST}.*--unpinned-weights"):
        store.require("tiny")
    with pytest.raises(WeightsError, match="--unpinned-weights"):
        store.expect("tiny")
    assert not store.present("tiny")
    told = replace(store, unpinned=True)
    assert (
        told.require("tiny") == (path,) and told.present("tiny") and told.digest("tiny") == DIGEST
    )


def test_nothing_in_a_folder_of_weights_vouches_for_itself(server, tmp_path):
    store = store_of(server, tmp_path)
    (path,) = store.get("tiny")
    path.write_bytes(CONTENT[::-1])
    about = path.stat()
    note = {"sha256": DIGEST, "size": about.st_size, "mtime": about.st_mtime_ns}
    path.with_name("net.bin.sha256.json").write_text(json.dumps(note))
    with pytest.raises(WeightsError, match="SHA-256"):
        store.require("tiny")


def test_every_network_but_xmem_has_a_published_checksum():
    unpinned = {m.name for m in MODELS.values() for f in m.files if not f.sha256}
    assert unpinned == {"xmem"}  # its release page states none


def test_offline_the_message_says_which_file_goes_where(tmp_path):
    store = WeightStore(tmp_path)
    with pytest.raises(WeightsError) as caught:
        store.require("sam-vit-b")
    message = str(caught.value)
    assert str(tmp_path / "sam-vit-b" / "sam_vit_b_01ec64.pth") in message
    assert "375,042,383 bytes" in message and "PROGGEN_SAM_VIT_B" in message and "\n" not in message


def test_an_unreachable_server_is_one_line(tmp_path):
    model = Model(
        "tiny",
        "segmenter",
        "MIT",
        "somewhere",
        (WeightFile("net.bin", "http://127.0.0.1:9/net.bin", 10, DIGEST),),
    )
    with pytest.raises(WeightsError, match=r"expected http://127\.0\.0\.1:9/net\.bin to answer"):
        WeightStore(tmp_path, models={"tiny": model}).get("tiny")


def test_a_local_path_from_the_environment_is_used_as_it_is(server, tmp_path):
    mine = tmp_path / "mine.bin"
    mine.write_bytes(CONTENT)
    store = store_of(server, tmp_path / "weights")
    store = WeightStore.from_environ(
        {"PROGGEN_TINY": str(mine), "PROGGEN_WEIGHTS": str(tmp_path / "weights")}, store.models
    )
    assert store.get("tiny") == (mine,)
    assert server.ranges == []


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(WeightsError, match=r"expected one of sam-vit-b, .*lpips-vgg, got 'sam'"):
        WeightStore(tmp_path).require("sam")


def test_every_published_model_has_a_source_a_licence_and_a_size():
    for model in MODELS.values():
        assert model.licence and model.source and model.size > 0
        assert all(file.url.startswith("https://") for file in model.files)
        assert all(len(file.sha256) in (0, 64) for file in model.files)


def test_the_command_lists_gets_and_verifies(server, tmp_path, capsys):
    store = store_of(server, tmp_path)

    def run(*argv):
        parser = weights_cli.argparse.ArgumentParser()
        weights_cli.add_arguments(parser)
        out = io.StringIO()
        return weights_cli.execute(parser.parse_args(argv), store, out), out.getvalue()

    assert "missing" in run("list")[1]
    assert run("verify")[0] == 0 and run("verify", "tiny")[0] == 1
    code, text = run("get", "tiny")
    assert code == 0 and "verified" in text
    assert "ready" in run("list")[1]
    code, text = run("verify")
    assert code == 0 and DIGEST in text
    store.require("tiny")[0].write_bytes(b"x" * len(CONTENT))
    code, text = run("verify")
    assert code == 1 and "wrong checksum" in text
    assert run("get", "nothing")[0] == 2
    assert "expected one of tiny" in capsys.readouterr().err


def test_the_whole_command_reads_the_environment(tmp_path):
    out = io.StringIO()
    assert weights_cli.main(["list"], {"PROGGEN_WEIGHTS": str(tmp_path)}, out) == 0
    assert str(tmp_path) in out.getvalue() and "grounding-dino-tiny" in out.getvalue()
