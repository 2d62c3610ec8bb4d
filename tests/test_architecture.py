"""The laws of the house (docs/architecture.md): what may import what, and how long files and functions may be."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "llgnegf"
ROOMS = (
    ("__init__", "__main__", "cli"), ("commands",), ("sweep",), ("config",), ("store",), ("paper", "plots"),
    ("run", "analysis"),
    ("integrators",), ("equations",), ("response", "transport"), ("static", "analytic"), ("poles",), ("problem",),
    ("units", "_checks", "_readable", "_compile", "_blas", "_threads", "_files", "_netcdf", "_processes"),
)  # fmt: skip
"""From the roof down: a module imports from its own room and from those below."""
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
MOST_LINES, MOST_FUNCTION_LINES = 400, 50


def _modules() -> dict[str, Path]:
    files = sorted(PACKAGE.rglob("*.py"))
    names = [path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".") for path in files]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, files, strict=True)}


MODULES = _modules()


def _imports(path: Path, for_types: bool = True) -> set[str]:
    """All modules of the package that a file imports, within functions too; for type hints alone only on request."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    hints = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    left_out = set() if for_types else {id(inner) for node in hints for inner in ast.walk(node)}
    for node in (node for node in ast.walk(tree) if id(node) not in left_out):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            targets = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {target if target in MODULES else str(node.module) for target in targets}
    return {name for name in found if name in MODULES and name != "llgnegf"}


IMPORTS = {name: _imports(path) for name, path in MODULES.items()}


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_has_its_place() -> None:
    assert {_room(name) for name in MODULES} <= set(LEVEL)


CONVENIENCES = {
    ("llgnegf.problem.lattices.lattice", "llgnegf.plots"), ("llgnegf.run.result", "llgnegf.plots.accessor")
}  # fmt: skip
"""Methods that load a room above when they are called: `Lattice.plot`, `Result.plot` and `Result.animate`."""


def test_imports_point_down() -> None:
    upwards = [
        f"{name} -> {target}" for name, targets in IMPORTS.items() for target in targets
        if LEVEL[_room(target)] < LEVEL[_room(name)] and (name, target) not in CONVENIENCES
    ]  # fmt: skip
    assert upwards == []


def test_no_circles() -> None:
    run = {name: _imports(path, for_types=False) for name, path in MODULES.items()}
    for name, target in CONVENIENCES:
        run[name].discard(target)
    assert len(tuple(TopologicalSorter(run).static_order())) == len(MODULES)  # raises CycleError, which names them


def test_private_names_stay_in_their_module() -> None:
    taken = [
        f"{name}: {alias.name} of {node.module}"
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("llgnegf.")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert taken == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_files_and_functions_are_short(name: str) -> None:
    source = MODULES[name].read_text()
    told = sum(_told(n) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.ClassDef))
    assert source.count("\n") - told <= MOST_LINES
    long = [
        f"{node.name}: {_lines(node)} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_compiled(node)
        if _lines(node) > MOST_FUNCTION_LINES
    ]
    assert long == []


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without the docstring, whose sections test_docstrings asks for."""
    return 1 + (function.end_lineno or 0) - function.lineno - _told(function)


def _told(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Lines of the docstring."""
    first = node.body[0]
    return 1 + (first.end_lineno or 0) - first.lineno if ast.get_docstring(node) is not None else 0


def _is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith(("kernel(", "part(")) for decorator in function.decorator_list)
