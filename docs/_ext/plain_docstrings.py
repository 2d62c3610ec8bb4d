"""Docstrings, written to be read in an editor, made restructuredtext: |M| stays |M|, an indented formula is a block.

Sphinx would take |M| for a substitution, and a formula that is indented below a paragraph for a quotation.
"""

from __future__ import annotations

import re
from typing import Any

CODE = re.compile(r"(``.*?``|`[^`]*`)")
ITEM = re.compile(r"\s*([-*]|\d+\.) ")


def mended(lines: list[str]) -> list[str]:
    """The lines of a docstring with formulas below paragraphs as literal blocks and bars escaped elsewhere."""
    new: list[str] = []
    before, above, literal = "", 0, False  # the last line with text, its indentation; whether a literal block goes on
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip():
            literal = literal and indent > above
            if not literal and before and not new[-1].strip() and indent > above and not ITEM.match(before):
                literal = True
                if not before.rstrip().endswith("::") and not before.lstrip().startswith(".. "):
                    new += [" " * above + "::", ""]
            if not literal:
                before, above = line, indent
                if not line.lstrip().startswith((">>>", "... ")):
                    parts = CODE.split(line)
                    parts[::2] = [re.sub(r"(?<!\\)\|", r"\\|", part) for part in parts[::2]]
                    line = "".join(parts)
        new.append(line)
    return new


def _mend(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = mended(lines)


def setup(app: Any) -> dict[str, bool]:
    """Called by sphinx."""
    app.connect("autodoc-process-docstring", _mend, priority=400)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
