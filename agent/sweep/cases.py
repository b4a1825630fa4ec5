"""What a sweep has to do: one case for every clip, seed and setting."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.command_line import did_you_mean
from tools.errors import UsageError

MOST = 100_000
"""Cases of one sweep."""
FILMS = (".mp4", ".gif", ".webm", ".webp", ".avi", ".mov", ".mkv", ".npz")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_TAKEN = ("video", "env", "seed", "out", "workers", "quiet")


@dataclass(frozen=True)
class Clip:
    """What is searched. name: of the file or folder of pictures at ``path``, or of an environment
    (path None). content: hash of the bytes, or the environment's name, that tell clips apart."""

    name: str
    content: str
    path: Path | None = None

    @classmethod
    def of(cls, path: Path) -> Clip:
        """A file or folder of pictures."""
        return cls(path.name, fingerprint(path), path)

    @property
    def stem(self) -> str:
        """Its name without the file's ending."""
        return self.name if self.path is None else self.path.stem

    def told(self, place: Path | None = None) -> str:
        """The option of ``run-agent run`` that names it. place: of the file where it was moved."""
        return f"--env={self.name}" if self.path is None else f"--video={place or self.path}"


@dataclass(frozen=True)
class Case:
    """key: names the run folder; the same clip content, seed and settings give the same key.
    arguments: of ``run-agent run`` besides clip, folder and workers."""

    key: str
    clip: Clip
    seed: int
    settings: Mapping[str, str]
    arguments: tuple[str, ...]


def cases(
    clips: Sequence[Clip], seeds: Sequence[int], vary: Sequence[str], common: Sequence[str]
) -> tuple[Case, ...]:
    """All of them, in order of clip, setting, seed. common: arguments that every run gets. Raises
    UsageError."""
    for word in common:
        name = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and name in _TAKEN:
            raise UsageError(
                "sweep", f"no --{name} after --", "one", "leave it out: the sweep sets it"
            )
    axes = [axis(text) for text in vary]
    count = len(clips) * len(seeds) * _product(len(values) for _, values in axes)
    if not 0 < count <= MOST:
        raise UsageError("sweep", f"1 to {MOST} runs", str(count))
    made = []
    for clip in clips:
        for chosen in itertools.product(*(values for _, values in axes)):
            settings = dict(zip((name for name, _ in axes), chosen, strict=True))
            for seed in seeds:
                made.append(_case(clip, seed, settings, common))
    if len({case.key for case in made}) < len(made):
        raise UsageError("sweep", "every clip, seed and setting once", "one twice")
    return tuple(made)


def _case(clip: Clip, seed: int, settings: Mapping[str, str], common: Sequence[str]) -> Case:
    told = [f"--{name}={value}" for name, value in settings.items()]
    arguments = (*common, *told, f"--seed={seed}")
    mark = hashlib.blake2b(
        "\0".join((clip.content, *arguments)).encode(), digest_size=5
    ).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", clip.stem)[:40].strip("-") or "clip"
    return Case(f"{name}-{seed}-{mark}", clip, seed, settings, arguments)


def axis(text: str) -> tuple[str, tuple[str, ...]]:
    """Read ``NAME=A,B,C``: an option of ``run-agent run`` and its values. Raises UsageError.

    >>> axis("budget=8,20")
    ('budget', ('8', '20'))
    """
    name, equals, values = text.partition("=")
    name, listed = name.removeprefix("--"), tuple(v for v in values.split(",") if v)
    if not equals or not listed or not re.fullmatch(r"[a-z][a-z-]{0,30}", name) or name in _TAKEN:
        raise UsageError(
            "--vary",
            "NAME=A,B with an option of run-agent run, such as budget=8,20",
            f"{text[:60]!r}",
        )
    return name, listed


def seeds_of(text: str) -> tuple[int, ...]:
    """Read "0-4", "0,3,7" or "5". Raises UsageError.

    >>> seeds_of("0-2,7")
    (0, 1, 2, 7)
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        if match is None or (match[2] and not 0 <= int(match[2]) - int(match[1]) < MOST):
            raise UsageError("--seeds", "numbers such as 0-4 or 0,3", f"{text[:40]!r}")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(found))


def clips_of(paths: Sequence[str]) -> tuple[Clip, ...]:
    """Files, folders of pictures (one clip each), and the clips inside other folders, sorted.
    Raises UsageError."""
    found = [clip for path in paths for clip in _clips(Path(path))]
    if paths and not found:
        raise UsageError("sweep", f"clips ({', '.join(FILMS)})", f"none in {paths[0]}")
    return tuple(map(Clip.of, dict.fromkeys(found)))


def environments_of(names: Sequence[str], known: Sequence[str]) -> tuple[Clip, ...]:
    """Environments by name, or all of a family ("gallery"). known: names there are, "gym:ID" for
    any of that family. Raises UsageError."""
    found: list[str] = []
    for name in names:
        family = [one for one in known if one.startswith(f"{name}:") and not one.endswith(":ID")]
        if not family and name not in known and f"{name.partition(':')[0]}:ID" not in known:
            got = name + _like(name, known)
            raise UsageError("--env", "an environment or a family of them", got)
        found += family or [name]
    return tuple(Clip(name, f"env:{name}") for name in dict.fromkeys(found))


def _like(name: str, known: Sequence[str]) -> str:
    families = {one.partition(":")[0] for one in known if ":" in one}
    return did_you_mean(name, (*known, *families))


def _clips(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise UsageError(str(path), "a clip or a folder of clips", "nothing there")
    if path.is_file() or _is_pictures(path):
        yield path
        return
    for one in sorted(path.iterdir()):
        if (one.is_file() and one.suffix.lower() in FILMS) or (one.is_dir() and _is_pictures(one)):
            yield one


def _is_pictures(folder: Path) -> bool:
    names = [one.suffix.lower() for one in folder.iterdir() if one.is_file()]
    return (
        bool(names)
        and not any(name in FILMS for name in names)
        and any(name in PICTURES for name in names)
    )


def fingerprint(clip: Path) -> str:
    """Hash of a clip's bytes (of all pictures of a folder, with their names)."""
    digest = hashlib.blake2b(digest_size=16)
    for path in [clip] if clip.is_file() else sorted(p for p in clip.iterdir() if p.is_file()):
        digest.update(path.name.encode() if clip.is_dir() else b"")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _product(counts: Iterator[int]) -> int:
    total = 1
    for count in counts:
        total *= count
    return total
