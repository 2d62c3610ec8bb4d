"""`python -m validation`: lists, runs by name, reports, and refuses names that do not exist."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def validation(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "validation", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_every_script_is_listed_and_there():
    listed = {line.split()[0] for line in validation("--list").stdout.splitlines()}
    there = {p.stem for p in (ROOT / "validation").glob("*.py") if not p.stem.startswith("_")}
    assert listed == there


def test_one_script_by_name_writes_a_report(tmp_path):
    done = validation("sum_rules", "--output", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every claim holds" in done.stdout
    assert "| claim" in (tmp_path / "REPORT.md").read_text()


def test_an_unknown_name_is_refused():
    done = validation("sumrules")
    assert done.returncode == 2
    assert "sumrules" in done.stderr
