"""README and docs/ are true: what they show runs, the lists of names and keys are complete, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pages
import pytest

import llgnegf
import llgnegf.analysis
import llgnegf.plots
from llgnegf.config import ConfigError
from llgnegf.config.schema import reference

DOCS = pages.ROOT / "docs"


def extension(name: str) -> ModuleType:
    """A module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def relative(page: Path) -> str:
    return page.relative_to(pages.ROOT).as_posix()


LOOKED_AT = ("README.md", "tour.md")
"""Run by test_readme, which looks at what comes out."""
SHOWING = [page for page in pages.pages() if pages.blocks(page.read_text()) and page.name not in LOOKED_AT]


@pytest.mark.parametrize("page", SHOWING, ids=relative)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    pages.run(page, tmp_path)


def test_blocks_that_are_not_run_say_why() -> None:
    text = "<!-- not run: a day -->\n```sh\nexit 1\n```\n\n```sh\ntrue\n```\n<!-- docs command -->\n```sh\nfalse\n```\n"
    assert [(block.text, block.reason) for block in pages.blocks(text)] == [
        ("exit 1\n", "a day"), ("true\n", ""), ("false\n", "docs command")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "code", ["python\n1 / 0", "sh\nfalse", "toml\n[electrons]\nsites = 2", "toml\nschema_version = 1", "ruby\nputs 1"]
)
def test_a_block_that_does_not_run_is_found(code: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```{code}\n```\n")
    with pytest.raises((ZeroDivisionError, AssertionError, ConfigError)):
        pages.run(page, tmp_path)


def listed(page: Path) -> list[str]:
    """The names in the tables of a page of the API reference."""
    return re.findall(r"^   (\w+)$", page.read_text(), re.MULTILINE)


def test_every_public_name_is_in_the_reference_once() -> None:
    of = {page.stem: listed(page) for page in (DOCS / "api").glob("*.rst")}
    assert sorted(of.pop("index")) == sorted(of)
    assert sorted(of.pop("analysis")) == sorted(llgnegf.analysis.__all__)
    pictures = [name for name in llgnegf.plots.__all__ if callable(getattr(llgnegf.plots, name))]  # and STYLE, a dict
    assert sorted(of.pop("plots")) == sorted(pictures)
    rest = {*llgnegf.__all__} - {"analysis", "plots"}
    assert sorted(name for names in of.values() for name in names) == sorted(rest)


def test_every_key_of_the_input_file_is_on_its_page() -> None:
    page = extension("input_file")
    assert page.MARK in (DOCS / "input_file.md").read_text()
    text = page.reference_page()
    found = re.findall(r"^\| \[`\w+`\]\{#([\w.-]+)\} \| (.+?) \| (.*?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    rows = {anchor: (value, unit, default, meaning) for anchor, value, unit, default, meaning in found}
    assert len(rows) == len(found)
    for key in reference():
        if key.allowed.startswith("a table ["):
            assert f"({page.anchor(key.table, '', key.name)})=" in text
            continue
        value, unit, default, meaning = rows.pop(page.anchor(key.table, key.kind, key.name))
        assert unit == key.unit and (default == "**needed**") == key.needed
        assert ("[function of time](#drive)" in value) == key.driven
        assert meaning.replace("\\", "") == key.doc
    assert rows == {}


LINK = re.compile(
    r"\]\((?!\w+:)([^()\s]+)\)|^\[[^\]]+\]: (?!\w+:)(\S+)|(?:src|href)=\"(?!\w+:)([^\"]+)\"", re.MULTILINE
)  # fmt: skip
"""To a place in the repository: [](here), [name]: here, <img src="here">."""


def anchors(text: str) -> set[str]:
    """Where links into a page may lead: explicit targets, and headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(pages.BLOCK, "", text), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | {a or b for a, b in re.findall(r"^\(([\w.-]+)\)=$|\{#([\w.-]+)\}", text, re.MULTILINE)}


@pytest.mark.parametrize("page", pages.pages(), ids=relative)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """Those to other sites are left to `python -m sphinx -b linkcheck docs site`, which needs the network."""
    text = page.read_text()
    plain = re.sub(r"`[^`\n]*`", "", re.sub(pages.BLOCK, "", text))
    for target in (next(filter(None, found)) for found in LINK.findall(plain)):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target}: no such file"
        if anchor and file.suffix == ".md":
            there = file.read_text().replace(extension("input_file").MARK, extension("input_file").reference_page())
            assert anchor in anchors(there), f"{target}: no such place"


def test_plain_docstrings_become_restructuredtext() -> None:
    mend = extension("plain_docstrings")
    plain = [
        "Turns M with |M| = 1, `a | b`:", "    dM/dt = |w| x M,", "at w.", "",
        "Args:", "    w: In rad/fs,", "        |w| < 1.",
    ]  # fmt: skip
    assert mend.with_blocks(mend.with_sections(plain)) == [
        "Turns M with \\|M\\| = 1, `a | b`:", "", "::", "", "    dM/dt = |w| x M,", "", "at w.", "",
        ":Parameters:", "", "    w", "        In rad/fs,", "        \\|w\\| < 1.",
    ]  # fmt: skip
    numpy = ["M.", "", "Parameters", "----------", "w : float", "    W.", "", "Examples", "--------", ">>> 1 | 2", "3"]
    assert mend.with_blocks(mend.with_sections(numpy)) == numpy
