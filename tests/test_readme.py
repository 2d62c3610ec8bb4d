"""The README tells the truth: its Python runs, its commands exist, its scripts are there."""

import re
from pathlib import Path

import pytest

from llgnegf.cli import build_parser

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_python_snippets_run_one_after_the_other(capsys):
    names: dict = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    result = names["result"]
    assert abs((result.dataset.moments**2).sum("component") - 1).max() < 1e-12
    assert "lead_spin_current" in capsys.readouterr().out


def test_every_command_is_one_of_the_command_line():
    named = set(re.findall(r"^\| `llgnegf (\w+)", TEXT, flags=re.MULTILINE))
    assert named == {"run", "resume", "rerun", "show", "plot", "oracle", "figure", "sweep"}
    for command in named:
        with pytest.raises(SystemExit) as stop:
            build_parser().parse_args([command, "--help"])
        assert stop.value.code == 0


def test_both_commands_need_only_python3():
    for block in blocks("sh"):
        line = block.strip()
        assert "\n" not in line
        assert line.startswith('VENV="${VENV:-.venv}"; python3 -m venv "$VENV" && "$VENV/bin/pip" install')


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:examples|validation|llgnegf|docs)/[\w./]+\w)`", TEXT))))
def test_every_file_named_is_there(path):
    assert (ROOT / path).exists()
