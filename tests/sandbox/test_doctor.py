"""The doctor finds out what holds, and says so in a table and in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sandbox.doctor import PROBES, Sandbox, examine, record


@pytest.fixture(scope="module")
def report():
    return examine()


def test_this_machine_holds_hostile_programs(report):
    assert report.mode in ("strict", "strict+") and report.ok
    assert all(row.active and row.proof for row in report.rows if row.required)
    assert {row.barrier for row in report.rows} >= {
        "files",
        "network",
        "new processes",
        "memory",
        "wall clock",
        "same answer twice",
    }


def test_the_report_is_json_and_a_table(report):
    data = json.loads(json.dumps(report.to_json()))
    assert (
        data["mode"] == report.mode and data["ok"] is True and len(data["rows"]) == len(report.rows)
    )
    text = str(report)
    assert "every required barrier holds" in text and "virtual machine" in text
    assert all(row.barrier in text for row in report.rows)
    assert 0 < report.timings["trivial_job_with_a_spare"] < report.timings["start"] < 60


def test_a_result_says_which_barriers_held():
    with Sandbox(workers=2) as box, Sandbox(mode="rlimits-only") as weak:
        held, missing = record(box), record(weak)
    assert held["mode"] == "strict" and held["ok"] and all(held["barriers"].values())
    assert set(held["barriers"]) == {probe.barrier for probe in PROBES if probe.quick}
    assert (
        missing["mode"] == "rlimits-only"
        and not missing["ok"]
        and not missing["barriers"]["files"]
        and missing["barriers"]["memory"]
    )
    assert json.dumps([held, missing], allow_nan=False)


def test_the_probes_notice_missing_barriers():
    """Positive control: with the barriers off the same probes report what gets through."""
    with Sandbox(mode="none") as box:
        missing = {
            probe.barrier
            for probe in PROBES
            if probe.quick and not probe.judge(box.run(probe.job())).active
        }
    assert missing >= {
        "files",
        "file metadata",
        "writing",
        "network",
        "new processes",
        "threads",
        "signals",
        "environment of others",
        "memory",
        "clocks of others",
        "mailboxes",
    }
    assert not missing & {"wall clock", "output", "result protocol", "own environment"}


def test_what_libraries_add_to_the_environment_is_not_the_host_s():
    """A server imports some of the libraries that its host, or the host's parent, imported, and they
    set the same variables in both: the host is started here with such variables."""
    told = {"KMP_DUPLICATE_LIB_OK": "True", "KMP_INIT_AT_FORK": "FALSE", "SET_BY_A_LIBRARY": "1"}
    program = (
        "import json; from sandbox.doctor import PROBES, Sandbox\n"
        "probe = next(probe for probe in PROBES if probe.barrier == 'own environment')\n"
        "with Sandbox() as box: row = probe.judge(box.run(probe.job()))\n"
        "print(json.dumps([row.active, probe.job().payload['foreign']]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=True,
    )
    active, foreign = json.loads(ran.stdout)
    assert active and set(foreign) >= set(told)
