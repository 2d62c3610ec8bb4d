"""Notebooks carry their outputs, and gallery scripts stay short; the documentation's build runs all of them.

`docs/notebooks/store_outputs.py` stores outputs anew. What each notebook has to find it asserts itself; the one on the
paper runs here too.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
GALLERY = sorted((DOCS / "gallery").glob("plot_*.py"))
LARGEST, LONGEST = 300_000, 50
"""Bytes of a notebook; lines of a gallery script."""
PUBLIC = {"llgnegf", "llgnegf.plots", "llgnegf.units"}
"""Where gallery scripts import from."""


def code_cells(path: Path) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_pictures_and_a_check_in_stored_outputs(path: Path) -> None:
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))  # run once, from the top
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}  # no error
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    trees = [ast.parse("".join(cell["source"])) for cell in cells]
    assert any(isinstance(node, ast.Assert) for tree in trees for node in ast.walk(tree))
    assert path.stat().st_size <= LARGEST


def test_the_paper_holds_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def show() -> None:
        shown.extend(plt.get_fignums())
        plt.close("all")

    plt.close("all")  # figures that other tests left open
    monkeypatch.setattr(plt, "show", show)
    names: dict[str, Any] = {}
    with plt.rc_context():
        for cell in code_cells(DOCS / "notebooks" / "paper.ipynb"):
            exec(compile("".join(cell["source"]), f"paper.ipynb {cell['id']}", "exec"), names)
    assert len(shown) == 4


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_gallery_script_is_short_and_public(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    tree = ast.parse(text)
    title, underline, *_ = (ast.get_docstring(tree) or "").splitlines()
    assert re.fullmatch("=+", underline) and len(underline) == len(title)
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module for module in modules if module and module.startswith("llgnegf")} <= PUBLIC
