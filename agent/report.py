"""report.html: what a run found, on one self-contained page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from agent import store
from agent.runfolder import RunFolder

_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}pre{overflow:auto;background:#f6f6f6;padding:1rem}"


def write_report(run: Path) -> Path:
    """Write report.html into the finished run folder ``run``; its path."""
    folder = RunFolder(run)
    store.write_text(folder.path / "report.html", _page(folder, folder.result()))
    return folder.path / "report.html"


def _page(folder: RunFolder, result: Mapping[str, Any]) -> str:
    parts = [f"<h1>{escape(result['status'])}, score {result['score']:.4f}</h1>", f"<p>{escape(result['reason'])}.</p>", _figures(result), _strip(folder)]
    parts += [f"<h2>{path.name}</h2><pre>{escape(path.read_text())}</pre>" for path in sorted(folder.best.glob("*.py"))]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Search report</title><style>{_STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _figures(result: Mapping[str, Any]) -> str:
    baseline = result["baselines"].get("persistence", {})
    rows = "".join(f"<tr><td>{name}<td>{_number(value)}<td>{_number(baseline.get(name))}" for name, value in result["metrics"].items() if name != "notes")
    return f"<table><tr><th>metric<th>prediction<th>last frame repeated{rows}</table>" if rows else ""


def _number(value: float | None) -> str:
    return "not available" if value is None else f"{value:.4g}"


def _strip(folder: RunFolder) -> str:
    path = folder.path / "filmstrip.png"
    return f'<p><img alt="truth, prediction, difference" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">' if path.exists() else ""
