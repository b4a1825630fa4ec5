"""A disk that fills up in the middle of a search: one clear line, and once there is room the run
goes on to the same end."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.agent.test_search import SCRIPT, result, summary

IN_A_SMALL_DISK = """
mount -t tmpfs -o size=200k none "$1" || exit 9
"$2" -c "$3" "$1/run" run 2> "$4/said"
echo $? > "$4/code"
mount -o remount,size=64m "$1"
"$2" -c "$3" "$1/run" resume || exit 8
cp -r "$1/run" "$4/run"
"""


def can_mount() -> bool:
    """Whether this user may mount a small disk of its own."""
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not can_mount(), reason="needs a mount namespace of its own for a small disk")
def test_a_full_disk_loses_nothing(tmp_path):
    disk, kept, whole = tmp_path / "disk", tmp_path / "kept", tmp_path / "whole"
    disk.mkdir()
    kept.mkdir()
    done = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            IN_A_SMALL_DISK,
            "-",
            str(disk),
            sys.executable,
            SCRIPT,
            str(kept),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (kept / "code").read_text().strip() != "0"
    last = (kept / "said").read_text().strip().splitlines()[-1]
    assert (
        last.startswith("tools.errors.StorageError: ")
        and "free space" in last
        and "run-agent resume" in last
    )
    assert (
        subprocess.run([sys.executable, "-c", SCRIPT, str(whole), "run"], check=False).returncode
        == 0
    )
    assert result(kept / "run") == result(whole) and summary(kept / "run")[1:] == summary(whole)[1:]
