"""A host with things worth stealing, in a process of its own: runs attacks against a sandbox as
root or as a plain user.

Started as ``python attack_host.py MODE PROFILE [UID]``; reads names of attacks, one a line, and
answers one JSON line each. Kept out of the test process so that it can be another user, and so that
a host can be killed.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import secrets
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY_NAME, KEY = "STATION_API_KEY", "sk-canary-" + "7" * 32

CANNOT_RUN = 77
"""Exit code when the ordinary user may not execute the interpreter."""


def become(uid: int) -> None:
    """Go on as user ``uid``, in a fresh process that can still read the interpreter and this
    project."""
    sys.path.insert(0, str(ROOT))
    from sandbox import kernel

    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    for needed in {sys.base_prefix, sys.prefix, str(ROOT)}:
        _open_way_to(Path(needed), kernel)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    try:
        os.execv(sys.executable, [sys.executable, "-P", __file__, *sys.argv[1:3]])
    except PermissionError:
        sys.exit(CANNOT_RUN)


def _open_way_to(path: Path, kernel) -> None:
    """Where a folder above ``path`` is closed to others, cover it with an empty one that holds only
    ``path``."""
    closed = next((p for p in reversed(path.parents) if not p.stat().st_mode & stat.S_IXOTH), None)
    if closed is None:
        return
    fd = os.open(path, os.O_PATH)
    kernel.mount("none", str(closed), "tmpfs", 0, "mode=755")
    path.mkdir(parents=True)
    kernel.mount(f"/proc/self/fd/{fd}", str(path), None, 4096)
    os.close(fd)


class Mark:
    """Bytes to look for. The tail travels complemented, so that telling what to look for does not
    put it there."""

    def __init__(self):
        self.prefix, self.tail = secrets.token_bytes(16), secrets.token_bytes(32)
        self.whole = bytearray(self.prefix + self.tail)

    def describe(self, name: str) -> dict[str, str]:
        return {
            f"{name}_prefix": self.prefix.hex(),
            f"{name}_tail": bytes(255 - b for b in self.tail).hex(),
        }


class Station:
    """The targets, and a sandbox in ``mode`` to attack them from."""

    def __init__(self, folder: Path, mode: str, profile: str):
        import numpy as np

        from sandbox import Sandbox

        self.folder = folder
        self.held, self.own, self.previous = Mark(), Mark(), Mark()
        self.copies = [bytearray(self.held.whole) for _ in range(64)]
        self.canary = subprocess.Popen(
            ["sleep", "600"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.targets = self._lay_out()
        self.clip = (
            np.arange(8 * 16 * 16 * 3, dtype=np.uint32).astype(np.uint8).reshape(8, 16, 16, 3)
        )
        self.box = Sandbox(1, mode, spares=1, profile=profile)
        self.shared = self.box.share(self.clip)

    def _lay_out(self) -> dict:
        import cv2
        import numpy as np

        for name in ("world", "folder"):
            (self.folder / name).mkdir()
        for name in ("world/writable", "world/victim", "folder/secret_0600", "folder/secret_0644"):
            (self.folder / name).write_text(secrets.token_hex(8))
        (self.folder / "folder/secret_0600").chmod(0o600)
        (self.folder / "folder/planted.py").write_text("VALUE = 'imported'\n")
        cv2.imwrite(str(self.folder / "folder/picture.png"), np.zeros((4, 4, 3), np.uint8))
        np.save(self.folder / "folder/array.npy", np.zeros(3))
        tcp, udp = (
            self._listen(socket.AF_INET, ("127.0.0.1", 0)),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        )
        udp.bind(("127.0.0.1", 0))
        self.udp = udp
        abstract = "station-" + secrets.token_hex(8)
        self._listen(socket.AF_UNIX, "\0" + abstract)
        self._listen(socket.AF_UNIX, str(self.folder / "socket"))
        libraries = sorted(glob.glob(f"{sys.base_prefix}/lib/python3*/lib-dynload/*.so"))
        unused = [path for path in libraries if "_dbm" in path or "xxlimited" in path] or libraries
        return {
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "abstract": abstract,
            "unix_path": str(self.folder / "socket"),
            "world": str(self.folder / "world"),
            "folder": str(self.folder / "folder"),
            "writable": str(self.folder / "world/writable"),
            "secret_0600": str(self.folder / "folder/secret_0600"),
            "secret_0644": str(self.folder / "folder/secret_0644"),
            "picture": str(self.folder / "folder/picture.png"),
            "array": str(self.folder / "folder/array.npy"),
            "library": unused[0],
            "host": os.getpid(),
            "canary": self.canary.pid,
            "key_name": KEY_NAME,
            "root": os.getuid() == 0,
            "address": id(KEY),
            **self.held.describe("held"),
            **self.own.describe("own"),
            **self.previous.describe("previous"),
        }

    def _listen(self, family: int, address: object) -> socket.socket:
        server = socket.socket(family)
        server.bind(address)
        server.listen()
        threading.Thread(target=self._greet, args=(server,), daemon=True).start()
        return server

    @staticmethod
    def _greet(server: socket.socket) -> None:
        while True:
            client, _ = server.accept()
            with contextlib.suppress(OSError), client:
                client.sendall(b"reached")

    def run(self, name: str) -> dict:
        """Run one attack and judge it."""
        from sandbox import ArraySpec, Job, Limits
        from tests.sandbox.attacks import ATTACKS
        from tools.types import Programs

        attack = ATTACKS[name]
        if "previous" in name or "previous" in attack.body:
            self._run_somebody_else()
        limits = Limits(wall=attack.wall, cpu=attack.wall + 2, memory=160 << 20)
        payload = self.targets | {"tag": secrets.token_hex(6), "function": "attack"}
        job = Job(
            "call",
            Programs("", attack.source, ""),
            {"clip": self.shared},
            payload,
            {"picture": ArraySpec((4, 4, 3))},
            limits,
        )
        begun = time.monotonic()
        outcome = self.box.run(job)
        seconds = time.monotonic() - begun
        how = _JUDGES[attack.judge](self, outcome, seconds, attack) or self._harm()
        failure = outcome.failure and [
            outcome.failure.stage,
            outcome.failure.kind,
            outcome.failure.message,
        ]
        return {
            "escaped": bool(how),
            "how": str(how)[:300],
            "failure": failure,
            "seconds": seconds,
            "log": outcome.log[-300:],
        }

    def _run_somebody_else(self) -> None:
        from sandbox import Job
        from tools.types import Programs

        mark = self.previous.whole.decode("latin-1")
        source = (
            "import builtins, os, sys\ndef attack(inputs, t, outputs):\n    keep = "
            "[t['mark'].encode('latin-1')] * 100\n"
            "    for place in (builtins, sys, *map(sys.modules.get, ('numpy', 'tools', "
            "'sandbox.stage_tracker'))):\n        place.NOTE = keep\n"
            "    os.environ['NOTE'] = 'left'\n    return 0\n"
        )
        assert (
            self.box.run(
                Job("call", Programs("", source, ""), {}, {"mark": mark, "function": "attack"})
            ).failure
            is None
        )

    def _harm(self) -> str:
        """What every attack must have left alone."""
        import numpy as np

        if self.canary.poll() is not None:
            return "the canary is dead"
        if not np.array_equal(
            np.frombuffer(os.pread(self.shared.fd, self.clip.nbytes, 0), np.uint8),
            self.clip.ravel(),
        ):
            return "the shared clip changed"
        if (self.folder / "world/gadget").exists():
            return "the host unpickled something"
        return ""

    def survivors(self) -> int:
        """Processes below the servers, beyond the spares that belong there."""
        deadline = time.monotonic() + 2.0
        while True:
            extra = (
                len(_descendants(self.box.pids()[0]))
                - 1
                - any(layer.name == "namespaces" and layer.active for layer in self.box.layers)
            )
            if extra <= 0 or time.monotonic() > deadline:
                return max(0, extra)
            time.sleep(0.01)


def _descendants(pid: int) -> list[int]:
    parents = {}
    for entry in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = Path(entry).read_text()
            parents[int(text.split()[0])] = int(text.rpartition(")")[2].split()[1])
    found, fresh = set(), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return sorted(found)


def _proof(station, outcome, seconds, attack) -> object:
    return outcome.claim["value"] if outcome.failure is None else ""


def _ended(station, outcome, seconds, attack) -> str:
    if seconds > attack.wall + 3:
        return f"ran for {seconds:.1f} s"
    if outcome.failure is None:
        return "counted as a success"
    if (
        len(outcome.failure.traceback) + len(outcome.failure.message) > 12_000
        or len(outcome.log) > 200_000
    ):
        return "its text is too long"
    return _nothing_left(station, outcome, seconds, attack)


def _nothing_left(station, outcome, seconds, attack) -> str:
    left = station.survivors()
    return f"{left} processes are left" if left else ""


def _accepted(station, outcome, seconds, attack) -> str:
    return f"accepted with {str(outcome.claim)[:100]}" if outcome.failure is None else ""


def _host_unharmed(station, outcome, seconds, attack) -> str:
    texts = [
        outcome.log,
        *(vars(outcome.failure).values() if outcome.failure else ()),
        *_texts(outcome.claim),
    ]
    if any(
        (ord(c) < 32 and c not in "\n\t") or c in "\x7f\x9b\u200b\u202e\ud800"
        for text in texts
        for c in text
    ):
        return "control characters got through"
    if outcome.cpu < 0 or outcome.wall < 0 or outcome.peak < 1 << 20:
        return "the measurements are the child's own"
    for array in outcome.arrays.values():
        if type(array).__name__ != "ndarray" or array.shape != (4, 4, 3) or array.dtype != "uint8":
            return "an output is not what the host asked for"
    if _changes(outcome.arrays):
        return "an output changed after the host had got it"
    return _misreported(outcome)


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    return (
        [text for part in value for text in _texts(part)]
        if isinstance(value, list)
        else [value]
        if isinstance(value, str)
        else []
    )


def _changes(arrays: dict) -> bool:
    before = {name: array.tobytes() for name, array in arrays.items()}
    time.sleep(0.02)
    return any(arrays[name].tobytes() != data for name, data in before.items())


def _misreported(outcome) -> str:
    if outcome.failure and outcome.failure.stage not in (
        "perception",
        "dynamics",
        "rendering",
        "fit",
        "limits",
    ):
        return "a failure in a place that does not exist"
    return ""


_JUDGES = {
    "proof": _proof,
    "ended": _ended,
    "accepted": _accepted,
    "host_unharmed": _host_unharmed,
    "nothing_left": _nothing_left,
}


def main() -> None:
    mode, profile, *uid = sys.argv[1:]
    if uid:
        become(int(uid[0]))
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        station = Station(Path(folder), mode, profile)
        try:
            print(
                json.dumps(
                    {
                        "mode": station.box.mode,
                        "layers": [layer.to_json() for layer in station.box.layers],
                        "uid": os.getuid(),
                    }
                ),
                flush=True,
            )
            for line in sys.stdin:
                print(json.dumps(station.run(line.strip())), flush=True)
        finally:
            station.box.close()
            station.canary.kill()
            station.canary.wait()


if __name__ == "__main__":
    main()
