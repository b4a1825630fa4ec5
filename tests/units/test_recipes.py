"""Every recipe of docs/howto/recipes.md measures what is known of its clip. Clips that may not be
copied are looked for beside the repository (PROGGEN_DATA or ../shared/data)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "recipes.md"
OURS = ROOT / "docs" / "examples" / "footage"
BESIDE = Path(os.environ.get("PROGGEN_DATA", ROOT.parent / "shared" / "data")) / "footage"

KNOWN = {
    "g from a drop": {"g": (9.81, 0.03 * 9.81)},
    "Restitution from a bounce": {"restitution": (0.5, 0.1)},
    "Spring constant and damping": {"period": (0.667, 0.02), "k/m": (89, 5), "c/m": (1.1, 0.3)},
    "g from a projectile, or its launch from g": {
        "angle": (30.0, 1.0),
        "speed": (2.726, 0.03 * 2.726),
        "g": (9.79, 0.03 * 9.79),
    },
    "Friction on an incline": {"slope": (22, 2), "steeper": (28, 2), "friction": (0.35, 0.1)},
    "Torque that slows a spin": {"round": (0.0, 0.01), "first": (26, 1), "slowing": (5.7, 0.6)},
    "Moment of inertia of a rolling disk": {"slope": (5.2, 1), "radius": (15.3, 1.5)},
    "Momentum in a collision of pucks": {"kept": (0.95, 0.15), "turned": (0, 6)},
}
"""Recipe -> what it prints -> (what is known, how far off it may be)."""


def recipes() -> dict[str, tuple[list[str], str]]:
    """Title -> (commands, Python) of the page."""
    parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    found = {}
    for part in parts:
        title = part.partition("\n")[0]
        (commands,) = re.findall(r"^```sh\n(.*?)^```", part, re.M | re.S)
        (code,) = re.findall(r"^```py\n(.*?)^```", part, re.M | re.S)
        found[title] = (commands.split("\n")[:-1], code)
    return found


def test_what_is_known_of_every_recipe_stands_here():
    assert set(recipes()) == set(KNOWN)


@pytest.mark.parametrize("title", KNOWN)
def test_a_recipe_measures_what_is_known(title, tmp_path, monkeypatch):
    commands, code = recipes()[title]
    monkeypatch.chdir(tmp_path)
    for line in commands:
        words = line.split()[1:]
        clip = next((f / words[1] for f in (OURS, BESIDE) if (f / words[1]).is_file()), None)
        if clip is None:
            pytest.skip(f"{words[1]} is not in {BESIDE}; set PROGGEN_DATA to the folder above it")
        assert main([words[0], str(clip), *words[2:]]) == 0
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told = {k.strip(): float(v) for k, v in re.findall(r"([\w/ ]+) = (-?[\d.]+)", done.stdout)}
    for name, (true, off) in KNOWN[title].items():
        assert abs(told[name] - true) <= off, done.stdout
