"""VisPhyWorld's clips: read, aligned by seconds, and ours never below repeating (the clips lie
beside the repository: PROGGEN_DATA or ../shared/data)."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import visphy
from benchmarks.harness.case import Case, Options, Workplace
from benchmarks.suites.visphy import VisPhy
from tools import media
from tools.types import ContractError

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PROGGEN_DATA", ROOT.parent / "shared" / "data")) / "visphy"


def film(count, speed):
    frames = np.full((count, 96, 128, 3), 255, np.uint8)
    for t in range(count):
        cv2.circle(
            frames[t],
            (round(256 * (20 + speed * t)), 50 * 256),
            9 * 256,
            (30, 160, 60),
            -1,
            cv2.LINE_AA,
            8,
        )
    return frames


@pytest.fixture
def folder(tmp_path):
    """One clip, one model with the right motion at four times the rate, one that stands still."""
    clip = tmp_path / "clip"
    (clip / "models").mkdir(parents=True)
    media.write(clip / "gt.mp4", film(15, 5.0), 0.2)
    media.write(clip / "models" / "right.mp4", film(60, 1.25), 0.05)
    media.write(clip / "models" / "short.mp4", film(4, 5.0), 0.2)
    return tmp_path


def test_films_are_aligned_by_seconds_and_compared_by_the_same_eyes(folder):
    options = Options(data=str(folder))
    suite = VisPhy()
    keys = [case.key for case in suite.phases(options)[0]]
    assert keys == ["two/clip", "ten/clip"]
    for key in keys:
        record = suite.run(Case(key), Workplace(folder / "out", options))
        rows = dict(zip(record.notes["methods"], record.rows, strict=True))
        assert set(rows) == {"ours", "repeat", "constant velocity", "right", "short"}
        assert rows["ours"]["psnr"] > rows["repeat"]["psnr"] + 3
        assert rows["right"]["position"] < 0.5 and rows["ours"]["position"] < 1.0
        assert rows["short"]["position"] > 20
        assert (rows["ours"]["between"] is None) == key.startswith("ten")
        assert "right" in suite.report({key: record}, options)


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(ContractError, match="--data"):
        visphy.names(str(tmp_path))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no published clips in {DATA}")
@pytest.mark.parametrize("protocol", ["two", "ten"])
def test_ours_is_not_below_repeating_on_a_published_clip(protocol, tmp_path):
    options = Options(data=str(DATA))
    clip = visphy.names(str(DATA))[1]
    record = VisPhy().run(Case(f"{protocol}/{clip}"), Workplace(tmp_path, options))
    rows = dict(zip(record.notes["methods"], record.rows, strict=True))
    best = max(row["psnr"] for name, row in rows.items() if name not in ("ours", "repeat"))
    assert rows["ours"]["psnr"] >= max(rows["repeat"]["psnr"] - 0.5, best)
