"""The command line of learned perception, as a person types it."""

from __future__ import annotations

import os
import subprocess
import sys

from agent.cli import vision
from agent.cli.parser import parse
from tools.vision.weights import WeightStore


def test_arguments_and_environment_say_which_models():
    arguments = parse(["run", "--env", "cartpole", "--tracker", "xmem", "--device", "cpu"])
    environ = {
        "PROGGEN_WEIGHTS": "/w/weights",
        "PROGGEN_SAM_VIT_B": "/mine/sam.pth",
        "XMEM_ROOT": "/src/XMem",
    }
    config = vision.config(arguments, environ)
    assert (config.detector, config.tracker, config.device) == ("auto", "xmem", "cpu")
    assert (config.weights, config.xmem_root, config.cache) == (
        "/w/weights",
        "/src/XMem",
        "/w/masks",
    )
    store = WeightStore.of(config)
    assert str(store.path("sam-vit-b", store.model("sam-vit-b").files[0])) == "/mine/sam.pth"
    assert str(store.path("xmem", store.model("xmem").files[0])) == "/w/weights/xmem/XMem.pth"


def test_neither_help_nor_a_search_without_detections_imports_networks():
    code = (
        "import sys\nfrom agent.cli import main\nfrom agent.cli import commands, vision\nimport "
        "agent.search.steps, sandbox.stages\n"
        "import tools.vision.backends, tools.vision.pipeline, tools.vision.repair, "
        "tools.vision.sam, tools.vision.sam2_video, tools.vision.xmem, "
        "tools.vision.grounding_dino\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'transformers', 'segment_anything'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr


def test_commands_with_options_of_their_own_answer_help():
    assert parse(["weights", "--help"]).rest == ["--help"] and parse(
        ["bench", "--list", "x"]
    ).rest == ["--list", "x"]
    done = subprocess.run(
        [sys.executable, "-m", "agent", "weights", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0 and "list | get | verify" in done.stdout


def test_weights_is_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "agent", "weights", "verify", "xmem"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PROGGEN_WEIGHTS": str(tmp_path)},
    )
    assert done.returncode == 1 and f"missing        {tmp_path}/xmem/XMem.pth" in done.stdout
