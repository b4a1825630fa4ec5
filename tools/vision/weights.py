"""Where model weights come from, whether they are whole, and how to get them.

A ``Model`` is one or more files with source, size, licence and SHA-256. A ``WeightStore`` is a
folder of them, with local paths that override it. Downloads go to ``NAME.part``, continue where
they stopped (HTTP Range), are checked, and only then take their final name, so that a file under
its final name is always whole.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools.errors import RunError
from tools.vision.config import FOLDER_VARIABLE, XMEM_VARIABLE, VisionConfig
from tools.vision.extra import load
from tools.vision.roles import Progress, silent

BLOCK = 1 << 20


class WeightsError(RunError, RuntimeError):
    """Weights are missing, broken, or cannot be fetched; one line with the next step."""


@dataclass(frozen=True)
class WeightFile:
    """One file. size: bytes, None = not published. sha256: hex digest, "" = not published: then
    whoever runs it has to allow it (``WeightStore.unpinned``)."""

    name: str
    url: str
    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Model:
    """Weights of one model. files[0] is the network itself. note: what else it needs, or "".
    folder: name of its folder in the store, "" = the model's name."""

    name: str
    role: str
    licence: str
    source: str
    files: tuple[WeightFile, ...]
    note: str = ""
    folder: str = ""

    @property
    def variable(self) -> str:
        """Environment variable that may hold a local path: of the file, or of the folder when there
        are several."""
        return "PROGGEN_" + "".join(c if c.isalnum() else "_" for c in self.name).upper()

    @property
    def size(self) -> int:
        """Bytes known to be needed."""
        return sum(file.size or 0 for file in self.files)


def _hub(
    repository: str, revision: str, files: Mapping[str, tuple[int | None, str]]
) -> tuple[WeightFile, ...]:
    base = f"https://huggingface.co/{repository}/resolve/{revision}"
    return tuple(
        WeightFile(name, f"{base}/{name}", size, digest) for name, (size, digest) in files.items()
    )


_SAM = "https://dl.fbaipublicfiles.com/segment_anything"
_TORCH = "https://download.pytorch.org/models"
_LPIPS_NOTE = "name its folder with --lpips"
_LPIPS = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1"
)

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "sam-vit-b",
            "segmenter",
            "Apache-2.0",
            "facebookresearch/segment-anything",
            (
                WeightFile(
                    "sam_vit_b_01ec64.pth",
                    f"{_SAM}/sam_vit_b_01ec64.pth",
                    375_042_383,
                    "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
                ),
            ),
        ),
        Model(
            "sam-vit-l",
            "segmenter",
            "Apache-2.0",
            "facebookresearch/segment-anything",
            (
                WeightFile(
                    "sam_vit_l_0b3195.pth",
                    f"{_SAM}/sam_vit_l_0b3195.pth",
                    1_249_524_607,
                    "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
                ),
            ),
        ),
        Model(
            "sam-vit-h",
            "segmenter",
            "Apache-2.0",
            "facebookresearch/segment-anything",
            (
                WeightFile(
                    "sam_vit_h_4b8939.pth",
                    f"{_SAM}/sam_vit_h_4b8939.pth",
                    2_564_550_879,
                    "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
                ),
            ),
        ),
        Model(
            "grounding-dino-tiny",
            "detector",
            "Apache-2.0",
            "IDEA-Research/grounding-dino-tiny",
            _hub(
                "IDEA-Research/grounding-dino-tiny",
                "a2bb814dd30d776dcf7e30523b00659f4f141c71",
                {
                    "model.safetensors": (
                        689_359_096,
                        "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3",
                    ),
                    "config.json": (
                        None,
                        "eec82c5ab66e16df12a9a212e68ac011779927c2536cf9078658e35d85f0c67a",
                    ),
                    "preprocessor_config.json": (
                        None,
                        "8454179ba95e2ad22947835aad7b45862a601fc0055ab88bf1ee70892d3aea60",
                    ),
                    "tokenizer.json": (
                        None,
                        "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
                    ),
                    "tokenizer_config.json": (
                        None,
                        "d40ab645b68211910b9170d22433d43186a6ec8ee6fd10ba170524b25bf4fb56",
                    ),
                    "vocab.txt": (
                        231_508,
                        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                    ),
                },
            ),
        ),
        Model(
            "sam2.1-hiera-tiny",
            "tracker",
            "Apache-2.0",
            "facebook/sam2.1-hiera-tiny",
            _hub(
                "facebook/sam2.1-hiera-tiny",
                "de431c4043854a71d8101e17995dfe596bf101a5",
                {
                    "model.safetensors": (
                        155_908_064,
                        "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
                    ),
                    "config.json": (
                        None,
                        "860aff9751b139d83a4ad7df1e5535416fded533e0ead02625edbefcb9953cce",
                    ),
                },
            ),
        ),
        Model(
            "xmem",
            "tracker",
            "MIT",
            "hkchengrex/XMem",
            (
                WeightFile(
                    "XMem.pth",
                    "https://github.com/hkchengrex/XMem/releases/download/v1.0/XMem.pth",
                    249_026_057,
                ),
            ),
            note=f"needs a checkout of github.com/hkchengrex/XMem, its path in {XMEM_VARIABLE}",
        ),
        Model(
            "lpips-alex",
            "metric",
            "BSD-3-Clause (AlexNet), BSD-2-Clause (linear)",
            "pytorch/vision, richzhang/PerceptualSimilarity",
            (
                WeightFile(
                    "alexnet.pth",
                    f"{_TORCH}/alexnet-owt-7be5be79.pth",
                    244_408_911,
                    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
                ),
                WeightFile(
                    "alex.pth",
                    f"{_LPIPS}/alex.pth",
                    6_009,
                    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
                ),
            ),
            folder="lpips",
            note=_LPIPS_NOTE,
        ),
        Model(
            "lpips-vgg",
            "metric",
            "BSD-3-Clause (VGG), BSD-2-Clause (linear)",
            "pytorch/vision, richzhang/PerceptualSimilarity",
            (
                WeightFile(
                    "vgg16.pth",
                    f"{_TORCH}/vgg16-397923af.pth",
                    553_433_881,
                    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                ),
                WeightFile(
                    "vgg.pth",
                    f"{_LPIPS}/vgg.pth",
                    7_289,
                    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
                ),
            ),
            folder="lpips",
            note=_LPIPS_NOTE,
        ),
    )
}


@dataclass(frozen=True)
class FileState:
    """What is on disk for one file. status: "verified", "unchecked" (there, digest not yet
    computed), "unpinned" (there, and nobody published a digest), "missing", "wrong size", "wrong
    checksum". digest: SHA-256 when it was computed."""

    path: Path
    status: str
    digest: str = ""


@dataclass(frozen=True)
class WeightStore:
    """A folder of weights; it may be somebody else's, so nothing in it says what is whole.
    overrides: model name -> local file or folder that is used instead of the folder's own.
    unpinned: whether files may be loaded whose checksum nobody published."""

    folder: Path
    overrides: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=lambda: MODELS, repr=False)
    unpinned: bool = False

    def described(self) -> dict[str, Any]:
        """The fields ``weights`` and ``paths`` of a ``VisionConfig``; inverse of :meth:`of`."""
        return {
            "weights": str(self.folder),
            "paths": {name: str(path) for name, path in self.overrides.items()},
        }

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], models: Mapping[str, Model] = MODELS
    ) -> WeightStore:
        """The store that the environment describes: ``PROGGEN_WEIGHTS`` and one variable per model
        (``Model.variable``).

        Without ``PROGGEN_WEIGHTS`` the folder is ``$XDG_CACHE_HOME/proggen-agent/weights`` (default
        ``~/.cache``).
        """
        cache = Path(
            environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache"
        )
        folder = Path(environ.get(FOLDER_VARIABLE) or cache / "proggen-agent" / "weights")
        overrides = {
            name: Path(environ[model.variable])
            for name, model in models.items()
            if environ.get(model.variable)
        }
        return cls(folder.expanduser(), overrides, models)

    @classmethod
    def of(cls, config: VisionConfig) -> WeightStore:
        """The store that a configuration names; without a folder nothing is present."""
        return cls(
            Path(config.weights or os.devnull),
            {name: Path(path) for name, path in config.paths.items()},
            unpinned=config.unpinned,
        )

    def model(self, name: str) -> Model:
        """The model of that name; an unknown name lists the known ones."""
        if name not in self.models:
            raise WeightsError("weights", f"one of {', '.join(self.models)}", repr(name))
        return self.models[name]

    def path(self, name: str, file: WeightFile) -> Path:
        """Where ``file`` of model ``name`` is expected."""
        override = self.overrides.get(name)
        if override is None:
            return self.folder / (self.model(name).folder or name) / file.name
        return (
            override
            if override.suffix and len(self.model(name).files) == 1
            else override / file.name
        )

    def state(self, name: str, file: WeightFile, check: bool = False) -> FileState:
        """What is on disk; with ``check`` the digest is computed (seconds per gigabyte, once)."""
        path = self.path(name, file)
        if not path.is_file():
            return FileState(path, "missing")
        if file.size is not None and path.stat().st_size != file.size:
            return FileState(path, "wrong size")
        digest = file_digest(path) if check else ""
        if not file.sha256:
            return FileState(path, "unpinned", digest)
        if not check:
            return FileState(path, "unchecked")
        return FileState(path, "verified" if digest == file.sha256 else "wrong checksum", digest)

    def require(self, name: str) -> tuple[Path, ...]:
        """Paths of all files of a model, each verified once; raises WeightsError that says which
        file to put where."""
        model = self.model(name)
        return tuple(self._require_file(model, file) for file in model.files)

    def _require_file(self, model: Model, file: WeightFile) -> Path:
        state = self.state(model.name, file, check=True)
        if state.status not in self._usable:
            raise WeightsError(explain(model, file, state))
        return state.path

    @property
    def _usable(self) -> tuple[str, ...]:
        return ("verified", "unchecked", *(("unpinned",) if self.unpinned else ()))

    def expect(self, name: str) -> None:
        """Raises WeightsError, saying which file to put where, unless all files of a model are
        there with the right size."""
        for file in self.model(name).files:
            state = self.state(name, file)
            if state.status not in self._usable:
                raise WeightsError(explain(self.model(name), file, state))

    def present(self, name: str) -> bool:
        """Whether all files of a model are there with the right size, and may be loaded."""
        files = self.model(name).files
        return all(self.state(name, file).status in self._usable for file in files)

    def digest(self, name: str) -> str:
        """SHA-256 that identifies the network of a model (its first file)."""
        return file_digest(self.require(name)[0])

    def get(
        self, name: str, progress: Progress = silent, timeout: float = 30.0
    ) -> tuple[Path, ...]:
        """Download what is missing of a model and verify it as far as it was published; returns the
        paths. Raises WeightsError."""
        model = self.model(name)
        for file in model.files if name not in self.overrides else ():
            state = self.state(name, file)
            if state.status in ("missing", "wrong size"):
                fetch(model, file, state.path, progress, timeout)
        return replace(self, unpinned=True).require(name)


def explain(model: Model, file: WeightFile, state: FileState) -> str:
    """One line: what is wrong with a file, which file goes where, and the command that fetches
    it."""
    expected = f"{file.size:,} bytes" if file.size else "any size"
    if state.status == "unpinned":
        digest = f", SHA-256 {state.digest}" if state.digest else ""
        return (
            f"weights {model.name}: expected a published checksum of {file.name}, got none "
            f"({state.path}{digest}); compare `run-agent weights verify {model.name}` with a "
            "source that you trust, then add --unpinned-weights"
        )
    got = {
        "missing": "no file",
        "wrong size": f"{_size(state.path):,} bytes",
        "wrong checksum": f"SHA-256 {state.digest[:16]}...",
    }
    wanted = (
        f"SHA-256 {file.sha256[:16]}..."
        if state.status == "wrong checksum" and file.sha256
        else expected
    )
    return (
        f"weights {model.name}: expected {state.path} ({wanted}), got "
        f"{got.get(state.status, state.status)}; "
        f"run run-agent weights get {model.name}, or put the file from {file.url} there, or set "
        f"{model.variable} to its path"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The tensors of a PyTorch checkpoint, on the CPU; nothing in it is executed. Raises
    WeightsError."""
    torch = load("torch")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # a broken archive fails in many ways: RuntimeError, OSError, EOFError, UnpicklingError...
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise WeightsError(
            "weights",
            "a PyTorch checkpoint of tensors",
            f"{path} ({reason})",
            "remove it and get it again",
        ) from error


def fill(network: Any, state: Mapping[str, Any], path: Path) -> None:
    """Load a checkpoint's tensors into a network; raises WeightsError when it belongs to another
    one."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = (
            str(error).splitlines()[1].strip()[:120] if "\n" in str(error) else str(error)[:120]
        )
        raise WeightsError(
            "weights",
            f"a checkpoint of {type(network).__name__}",
            f"{path} ({reason})",
            "check which model the file is of",
        ) from error


# --------------------------------------------------------------------------------------------------


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hex, read in blocks; once while this process lives, if nobody touches the
    file."""
    about = path.stat()
    return _digest(path, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, *_: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --------------------------------------------------------------------------------------------------


def fetch(
    model: Model,
    file: WeightFile,
    path: Path,
    progress: Progress = silent,
    timeout: float = 30.0,
    tries: int = 3,
) -> None:
    """Download one file to ``path``: resumed from ``path.part`` if there is one, verified, then
    renamed in one step.

    A connection that breaks off is taken up again up to ``tries`` times in a row without progress.
    Raises WeightsError; a partial file is kept for the next call unless its content is wrong.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    failures, error = 0, None
    while failures < tries:
        before = _size(part)
        try:
            if _download(file, part, progress, timeout):
                _finish(model, file, part, path)
                return
            error = "the connection closed early"
        except (OSError, urllib.error.URLError) as caught:
            error = str(caught)
        failures = 0 if _size(part) > before else failures + 1
    raise WeightsError(
        f"weights {model.name}",
        f"{file.url} to answer",
        str(error),
        f"{_size(part):,} bytes are kept, run it again to go on, or put the file at "
        f"{path} yourself",
    )


def _download(file: WeightFile, part: Path, progress: Progress, timeout: float) -> bool:
    """Append what is missing to ``part``; True when it has all the bytes the server promised."""
    start = _size(part)
    if file.size is not None and start >= file.size:
        return True
    request = urllib.request.Request(
        file.url,
        headers={"Range": f"bytes={start}-", "User-Agent": "proggen-agent"}
        if start
        else {"User-Agent": "proggen-agent"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            resumed = answer.status == 206
            length = answer.headers.get("Content-Length")
            total = (start if resumed else 0) + int(length) if length else file.size
            with open(part, "ab" if resumed else "wb") as out:
                for block in _blocks(answer):
                    out.write(block)
                    progress(file.name, out.tell(), total or 0)
    except urllib.error.HTTPError as error:
        if (
            error.code == 416 and start
        ):  # nothing left to send: the part is complete, or not this file
            return True
        raise
    return total is None or _size(part) >= total


def _blocks(stream) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _finish(model: Model, file: WeightFile, part: Path, path: Path) -> None:
    """Verify a complete download and give it its final name; a wrong one is removed."""
    digest = file_digest(part)
    wrong_size = file.size is not None and _size(part) != file.size
    if wrong_size or (file.sha256 and digest != file.sha256):
        got = f"{_size(part):,} bytes, SHA-256 {digest[:16]}..."
        part.unlink()
        raise WeightsError(
            f"weights {model.name}",
            f"{file.name} with {file.size or 'any number of'} bytes, SHA-256 "
            f"{file.sha256[:16] or 'unknown'}...",
            got,
            f"the download was removed: try again, or get it from {model.source}",
        )
    os.replace(part, path)
