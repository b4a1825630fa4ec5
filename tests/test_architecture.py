"""The rules of the house, as tests: which way imports run, where effects live, what the wheel
carries."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
LAYERS = ("tools", "sandbox", "agent", "benchmarks", "prompts")
TOP = {
    "tools",
    "sandbox",
    "prompts",
    "agent.plain",
    "agent.pictures",
    "agent.versions",
}
"""What every room of the agent may import."""
ALLOWED = {
    "tools": {"tools"},
    "prompts": {"prompts", "tools"},
    "sandbox": {"sandbox", "tools"},
    "agent.core": {"agent.core", *TOP},
    "agent.run": {"agent.run", "agent.core", *TOP},
    "agent.models": {"agent.models", "agent.run", "agent.core", *TOP},
    "agent.config": {"agent.models", *TOP},
    "agent.evaluation": {"agent.evaluation", "agent.run", "agent.core", "agent.config", *TOP},
    "agent.checking": {"agent.checking", "agent.core", *TOP},
    "agent.prompting": {"agent.prompting", "agent.checking", "agent.models", "agent.core", *TOP},
    "agent.proposers.offline": {"agent.proposers.offline", "agent.core", *TOP},
    "agent.proposers": {
        "agent.proposers",
        "agent.prompting",
        "agent.checking",
        "agent.models",
        "agent.run",
        "agent.core",
        "agent.config",
        *TOP,
    },
    "agent.worldmodel": {
        "agent.worldmodel",
        "agent.evaluation",
        "agent.run",
        "agent.core",
        "agent.config",
        *TOP,
    },
    "agent.export": {"agent.export", "agent.units", "agent.worldmodel", "agent.run", *TOP},
    "agent.cluster": {"agent.cluster", *TOP},
    "agent.sweep": {"agent.sweep", "agent.cluster", "agent.run", *TOP},
    "agent.units": {
        "agent.units",
        "agent.equations",
        "agent.worldmodel",
        "agent.evaluation",
        "agent.run",
        *TOP,
    },
    "agent.equations": {"agent.equations", *TOP},
    "agent.report": {"agent.report", "agent.units", "agent.run", "agent.core", *TOP},
    "agent.search": {
        "agent.search",
        "agent.report",
        "agent.proposers",
        "agent.evaluation",
        "agent.run",
        "agent.core",
        "agent.config",
        *TOP,
    },
    "agent.browser": {
        "agent.browser",
        "agent.units",
        "agent.report",
        "agent.models",
        "agent.run",
        "agent.core",
        *TOP,
    },
    "agent": {"agent.worldmodel", "agent.cli", *TOP},
    "agent.plain": {"agent.plain", "tools"},
    "agent.pictures": {"agent.pictures", "tools"},
    "agent.versions": {"agent.versions", "prompts"},
    "agent.cli": {"agent", "sandbox", "tools", "prompts", "benchmarks"},
    "benchmarks": {"benchmarks", "agent", "sandbox", "tools", "prompts"},
    "benchmarks.environments": {
        "benchmarks.environments",
        "benchmarks.gallery",
        "benchmarks.phyworld",
        "benchmarks.recorder",
        "tools",
    },
    "benchmarks.gallery": {"benchmarks.gallery", "benchmarks.recorder", "tools"},
    "benchmarks.phyworld": {"benchmarks.phyworld", "tools"},
    "benchmarks.harness": {
        "benchmarks.harness",
        "benchmarks.environments",
        "agent",
        "sandbox",
        "tools",
        "prompts",
    },
}
"""What each room may import of ours; docs/architecture.md draws it. Nobody imports ``agent.cli``,
the composition root."""


def modules() -> dict[str, Path]:
    found = {}
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(path: Path, at_top: bool = False) -> set[str]:
    """Dotted names that a file imports; ``at_top``: only those that run when it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(_top(tree)) if at_top else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}" in MODULES
                else node.module
                for alias in node.names
            }
    return names


def _top(tree: ast.Module):
    """Statements that run on import, those under TYPE_CHECKING and in functions left out."""
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from ast.walk(node)


def part(module: str) -> str:
    return max(
        (name for name in ALLOWED if module == name or module.startswith(name + ".")), key=len
    )


def test_imports_run_one_way():
    wrong = []
    for module, path in MODULES.items():
        for name in imports(path):
            allowed = ALLOWED[part(module)]
            if name.split(".")[0] in LAYERS and not any(
                name == room or name.startswith(room + ".") for room in allowed
            ):
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_nobody_imports_the_command_line():
    callers = {
        module
        for module, path in MODULES.items()
        if any(name == "agent.cli" or name.startswith("agent.cli.") for name in imports(path))
    }
    assert {module for module in callers if not module.startswith("agent.cli")} <= {
        "agent.__main__",
        "benchmarks.fuzz",  # throws hostile runs at what commands show
    }


def test_only_the_command_line_and_suites_know_ground_truth():
    knowing = {
        module
        for module, path in MODULES.items()
        if any(name.split(".")[0] == "benchmarks" for name in imports(path))
    }
    assert {module for module in knowing if module.split(".")[0] != "benchmarks"} <= {
        "agent.cli",
        "agent.cli.completing",
        "agent.cli.inputs",
        "agent.cli.commands",
    }
    searching = [
        module
        for module, path in MODULES.items()
        if module.startswith("benchmarks.environments")
        and any(n.split(".")[0] in ("agent", "sandbox") for n in imports(path))
    ]
    assert not searching, "environments make videos; they do not search"


def test_there_are_no_import_cycles():
    edges = {
        module: {name for name in imports(path, at_top=True) if name in MODULES and name != module}
        for module, path in MODULES.items()
    }
    edges = {
        module: {name for name in names if not module.startswith(name + ".")}
        for module, names in edges.items()
    }
    state: dict[str, int] = {}

    def visit(module: str, trail: tuple[str, ...]) -> None:
        if state.get(module) == 1:
            raise AssertionError("cycle: " + " -> ".join((*trail[trail.index(module) :], module)))
        if state.get(module) == 2:
            return
        state[module] = 1
        for name in sorted(edges[module]):
            visit(name, (*trail, module))
        state[module] = 2

    for module in sorted(edges):
        visit(module, ())


@pytest.mark.parametrize(
    "package, homes",
    [
        ("langgraph", {"agent.search.graph"}),
        ("langchain_openai", {"agent.models.endpoint"}),
        ("av", {"tools.media"}),
        ("textual", {"agent.browser.app", "agent.browser.rows"}),
    ],
)
def test_few_modules_know_each_outside_machine(package, homes):
    assert {
        module
        for module, path in MODULES.items()
        if package in {name.split(".")[0] for name in imports(path)}
    } <= homes


def test_nobody_unpickles():
    assert not [
        module
        for module, path in MODULES.items()
        if {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
        & {n.split(".")[0] for n in imports(path)}
        and "load" in _calls(path)
    ]


def _calls(path: Path) -> set[str]:
    """Attributes called on a pickling module in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        f.attr
        for f in calls
        if isinstance(f, ast.Attribute)
        and isinstance(f.value, ast.Name)
        and f.value.id in ("pickle", "dill", "cloudpickle", "shelve", "marshal")
    }


def test_there_is_no_drawer_for_odds_and_ends():
    assert not [
        module
        for module in MODULES
        if module.rsplit(".", 1)[-1] in ("utils", "util", "helpers", "misc", "common")
    ]


def test_every_module_says_what_it_is_for():
    silent = [
        module
        for module, path in MODULES.items()
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_importing_is_quiet_and_does_nothing(tmp_path):
    code = (
        "import os, threading; before = set(os.listdir('.'));\nimport agent.search.steps, "
        "sandbox, tools.media, agent.cli.commands\nassert threading.active_count() == 1 and "
        "set(os.listdir('.')) == before"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert done.returncode == 0 and not done.stdout and not done.stderr, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution as an index would serve it."""
    place = tmp_path_factory.mktemp("wheel")
    copy = place / "checkout"
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    for name in tracked or [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file()]:
        if (ROOT / name).is_file() and not name.startswith(".") and "/." not in name:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    made = f"from setuptools import build_meta; print(build_meta.build_sdist({str(place)!r}))"
    _ran([sys.executable, "-c", made], copy)
    with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
        archive.extractall(place / "source", **safely)
    pip = f"{sys.executable} -m pip wheel -q --disable-pip-version-check --no-deps"
    source = next((place / "source").iterdir())
    _ran([*pip.split(), "--no-build-isolation", "--wheel-dir", str(place), str(source)], place)
    return next(place.glob("*.whl"))


def _ran(words: list[str], place: Path, **told: str) -> str:
    done = subprocess.run(
        words, cwd=place, env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_carries_the_program_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        *LAYERS,
        *(n.split("/")[0] for n in names if ".dist-info/" in n),
    }
    assert {f"{layer}/py.typed" for layer in LAYERS} <= set(names)
    assert "agent/sbom.cdx.json" in names and any(name.endswith("/LICENSE") for name in names)
    assert "agent/cli/commands.py" in names and any(
        name.startswith("prompts/") and name.endswith(".md") for name in names
    )


@pytest.mark.slow
def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    run_agent = [sys.executable, "-c", "from agent.__main__ import main; raise SystemExit(main())"]
    path = {"PYTHONPATH": str(tmp_path / "installed")}
    place = tmp_path / "elsewhere"
    place.mkdir()
    assert "gallery" in _ran([*run_agent, "bench", "list"], place, **path)
    search = "--env cartpole --budget 1 --context 5 --horizon 3 --out run --quiet"
    assert "score" in _ran([*run_agent, *search.split()], place, **path)
    assert (place / "run" / "best" / "dynamics.py").is_file()


def test_a_package_of_another_project_under_one_of_our_names_is_told(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "agent", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "expected the package tools" in done.stderr and "environment of its own" in done.stderr


def test_functions_fit_on_a_screen():
    """Formatted lines. The longest are declarations of a command line; those of the offline
    proposer are short, and branch little."""
    functions = {
        f"{name}: {node.name}": node
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    lengths = {name: node.end_lineno - node.lineno + 1 for name, node in functions.items()}
    assert {name: lines for name, lines in lengths.items() if lines > 63} == {}
    assert sum(lines > 40 for lines in lengths.values()) <= 30
    offline = {n: node for n, node in functions.items() if n.startswith("agent.proposers.offline")}
    assert [name for name in offline if lengths[name] > 40] == []
    forks = (ast.If, ast.For, ast.While, ast.ExceptHandler)
    branches = {n: sum(isinstance(p, forks) for p in ast.walk(f)) for n, f in offline.items()}
    assert {name: count for name, count in branches.items() if count > 12} == {}


def test_locks_agree_with_what_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        line.split("==")[0].lower().replace("_", "-")
        for lock in LOCKS
        for line in lock.read_text().splitlines()
        if "==" in line
    }
    declared = [
        *project["dependencies"],
        *(entry for extra in project["optional-dependencies"].values() for entry in extra),
    ]
    names = {"".join(c for c in entry.split(">")[0].split("[")[0]).lower() for entry in declared}
    assert names <= locked
    for lock in LOCKS:
        text = re.sub(r"#.*\n", "", lock.read_text()).replace("\\\n", "")
        for line in filter(None, text.splitlines()):
            assert re.fullmatch(r"[\w.-]+==[\w.+!-]+( +--hash=sha256:[0-9a-f]{64})+ *", line), (
                f"{lock.name}: expected a version and its files' hashes, got {line[:80]}"
            )


def test_the_bill_of_materials_agrees_with_the_locks():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / ".ci" / "sbom.py")
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    assert json.loads(sbom.BILL.read_text()) == sbom.bill(), "run python .ci/sbom.py"
