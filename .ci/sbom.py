"""Writes agent/sbom.cdx.json, the bill of materials that travels in the wheel (CycloneDX 1.6), from
the lock files: python .ci/sbom.py"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BILL = ROOT / "agent" / "sbom.cdx.json"
LOCKS = {"requirements.lock": "required"} | dict.fromkeys(
    ("requirements-extras.lock", "requirements-vision.lock"), "optional"
)
"""Lock file -> whether what is in it must be there."""
_PINNED = re.compile(r"^([\w.-]+)==([\w.+!-]+)", re.MULTILINE)


def bill() -> dict[str, Any]:
    """The components that the lock files pin, each once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, dict[str, Any]] = {}
    for lock, scope in LOCKS.items():
        for name, version in _PINNED.findall((ROOT / lock).read_text(encoding="utf-8")):
            found.setdefault(name.lower(), _component(name, version, scope))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project["version"],
            }
        },
        "components": [found[name] for name in sorted(found)],
    }


def _component(name: str, version: str, scope: str) -> dict[str, Any]:
    address = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "scope": scope,
        "purl": address,
    }


if __name__ == "__main__":
    BILL.write_text(json.dumps(bill(), indent=1) + "\n", encoding="utf-8")
