"""README and the pages of docs/ as their readers meet them: blocks of code, and links.

Blocks run from top to bottom in an empty folder, Python in one namespace for each page. What cannot run has the line
`<!-- not run: REASON -->` above it, and what .ci/run runs `<!-- NAME command -->`. A block whose first line is a
comment with the name of a file is written there first.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llgnegf.config import RunConfig

ROOT = Path(__file__).parents[1]
MADE = {"auto_gallery", "generated", "backreferences"}
"""Folders of docs/ that a build fills."""
BLOCK = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|:{3,})(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
NO_CODE = re.compile(r"(text)?|\{(?!code)[\w-]+\}.*")
"""What stands behind the fence of output, of messages, and of what sphinx makes something of but code."""
NOT_RUN = re.compile(r"<!-- (?:not run: )?(?P<reason>(?<=not run: )[^\n]+?|\w+ command) -->\s*\Z")
FILE = re.compile(r"\A# ([\w.-]+\.(?:toml|py))$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line where it begins, and why it is not run ("" if it is)."""

    language: str
    text: str
    line: int
    reason: str


def pages() -> list[Path]:
    """README, what else is read on GitHub at the root, and every page of docs/ that is no result of a build."""
    written = [path for path in (ROOT / "docs").rglob("*.md") if not MADE & set(path.relative_to(ROOT).parts)]
    return sorted([*ROOT.glob("*.md"), *written])


def blocks(text: str) -> list[Block]:
    """The blocks of a page in order."""
    return list(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        marked = NOT_RUN.search(text, 0, found.start())
        lines = [line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True)]
        number = text.count("\n", 0, found.start()) + 2
        yield Block(found["language"].strip(), "".join(lines), number, marked["reason"] if marked else "")


def run(page: Path, folder: Path) -> tuple[list[dict[str, Any]], str]:
    """Run all blocks of a page in `folder`; the names after each block of Python, and what they print."""
    module = ModuleType("page")
    after, printed = [], io.StringIO()
    base = (ROOT / "examples" / "driven_wall.toml").read_text()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)  # as in a Python that is started there
        patch.setitem(sys.modules, "page", module)  # where dataclasses look for names
        for block in blocks(page.read_text()):
            if named := FILE.match(block.text):
                Path(named[1]).write_text(block.text)
            if block.reason:
                continue
            if block.language == "python":
                source = "\n" * (block.line - 1) + block.text  # a traceback then names the line of the page
                exec(compile(source, str(page), "exec"), vars(module))
                after.append(dict(vars(module)))
            elif block.language == "toml":
                base = _check_input(block.text, base)
            elif block.language in ("bash", "sh"):
                _run_shell(block.text)
            elif not NO_CODE.fullmatch(block.language):
                raise AssertionError(f"{page.name}, line {block.line}: nothing runs {block.language!r}")
    return after, printed.getvalue()


def _check_input(text: str, base: str) -> str:
    """Read an input file; a fragment, which has no schema_version, in place of the same tables of the file before."""
    if "schema_version" in text:
        RunConfig.loads(text)
        return text
    RunConfig.from_dict({**tomllib.loads(base), **tomllib.loads(text)})
    return base


def _run_shell(text: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
