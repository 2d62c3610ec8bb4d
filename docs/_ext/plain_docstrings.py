"""Docstrings, written to be read in an editor, made restructuredtext: |M| stays |M|, an indented formula is a block.

Sphinx would take |M| for a substitution, and a formula that is indented below a paragraph for a quotation. Sections in
the style of Google ("Args:") get the look of those that numpydoc knows.
"""

from __future__ import annotations

import re
from typing import Any

CODE = re.compile(r"(``.*?``|`[^`]*`)")
OPENS = re.compile(r"[-*] |\d+\. |\.\. |:")
"""What an indented line below it belongs to: items of lists, directives, fields."""
SECTIONS = {"Args:": "Parameters", "Attributes:": "Attributes", "Returns:": "Returns", "Raises:": "Raises"}
ENTRY = re.compile(r"    (\w[\w, .]*): (.*)")


def with_sections(lines: list[str]) -> list[str]:
    """The lines with Google's sections as fields, each entry a name and what it is."""
    new: list[str] = []
    section = ""
    for line in lines:
        if line in SECTIONS:
            section = line
            new += [f":{SECTIONS[line]}:", ""]
        elif section and line and not line.startswith("    "):
            section = ""
            new.append(line)
        elif section and section != "Returns:" and (entry := ENTRY.fullmatch(line)):
            new += [f"    {entry[1]}", f"        {entry[2]}"]
        else:
            new.append(line)
    return new


def with_blocks(lines: list[str]) -> list[str]:
    """The lines with formulas below paragraphs as literal blocks, and bars escaped elsewhere."""
    new: list[str] = []
    before, above, literal = "", 0, False  # the last line of a paragraph, its indentation; whether a block goes on
    sections = False  # where an indented line explains the name above it
    for line in lines:
        indent = len(line) - len(line.lstrip())
        sections = sections or line.startswith((":", "---"))
        if line.strip():
            if literal and indent <= above and new[-1].strip():
                new.append("")
            literal = literal and indent > above
            apart = not sections or not new[-1].strip()
            if not literal and before and apart and indent > above and not OPENS.match(before):
                literal = True
                if not before.endswith("::"):
                    new += [""] * bool(new[-1].strip()) + [" " * above + "::", ""]
            if not literal:
                before, above = line.strip(), indent
                line = _escaped(line)
        new.append(line)
    return new


def _escaped(line: str) -> str:
    if line.lstrip().startswith((">>>", "... ")):
        return line
    parts = CODE.split(line)
    parts[::2] = [re.sub(r"(?<!\\)\|", r"\\|", part) for part in parts[::2]]
    return "".join(parts)


def _mend(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = with_blocks(with_sections(lines))


def setup(app: Any) -> dict[str, bool]:
    """Called by sphinx."""
    app.connect("autodoc-process-docstring", _mend, priority=400)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
