"""The page of found programs: python -m benchmarks.showcase NAME=RUN ... [--out docs]

Writes ``gallery.md`` and ``gallery/NAME.gif`` from finished runs: what was found, in words; the
film (truth, prediction, difference); the dynamics as written; how well it predicts.
"""

from __future__ import annotations

import argparse
import ast
import json
from pathlib import Path

import cv2
import numpy as np

from tools import media

WIDTH = 540
_HEAD = """# What was found

Each film shows truth, prediction and their difference in the frames that the search had not seen.
The programs are as found, unedited; `python -m benchmarks.showcase` made this page.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    (arguments.out / "gallery").mkdir(parents=True, exist_ok=True)
    pages = [_HEAD]
    for word in arguments.runs:
        name, run = word.split("=", 1)
        film(Path(run) / "prediction.mp4", arguments.out / "gallery" / f"{name}.gif")
        pages.append(entry(name, Path(run)))
    (arguments.out / "gallery.md").write_text("\n".join(pages), encoding="utf-8")


def film(source: Path, target: Path) -> None:
    """The film of a run, ``WIDTH`` pixels wide."""
    video = media.read(source)
    scale = min(1.0, WIDTH / video.frames.shape[2])
    frames = [
        cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for frame in video.frames
    ]
    media.write(target, np.stack(frames), max(video.dt, 0.05))


def entry(name: str, run: Path) -> str:
    """One section of the page."""
    source = (run / "best" / "dynamics.py").read_text(encoding="utf-8")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    said = [
        line
        for line in (ast.get_docstring(ast.parse(source)) or "").splitlines()
        if line[:2] == "- "
    ]
    psnr, still = result["metrics"]["psnr"], result["baselines"]["persistence"]["psnr"]
    return "\n".join(
        [
            f"## {name.replace('-', ' ').capitalize()}\n",
            *said,
            f"\n![truth, prediction and difference](gallery/{name}.gif)\n",
            f"{psnr:.1f} dB on held-back frames; repeating the last frame seen: {still:.1f} dB.\n",
            "<details><summary>The dynamics</summary>\n",
            f"```python\n{source.strip()}\n```\n",
            "</details>\n",
        ]
    )


if __name__ == "__main__":
    main()
