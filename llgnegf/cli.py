"""The command line: llgnegf run | resume | rerun | show | view | report | plot | oracle | figure | sweep.

Only the parser lives here, so that help and mistakes answer at once; `commands` does the work.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from llgnegf.commands.ending import EXIT_OK, ended, open_standard_streams

OVERVIEW = """\
Conduction electrons and classical moments, together in time (TDNEGF + LLG).

commands:
  run FILE.toml      run an input file: a folder with result.nc and plots
  resume DIR         go on with a run that was stopped or killed
  rerun DIR          reproduce a stored run from its folder alone, and compare
  show DIR           what a run is, how far, its error budget, its provenance
  view DIR           a page in the browser that follows a run
  report DIR         the same page as one file, to send to somebody
  plot DIR           draw the plots of a run again
  oracle FILE.toml   exact rotating-frame torques by part, and lead currents
  figure NAME        a figure of PRL 125, 187202 (names: figure --list)
  sweep FILE.toml    run every point of the [sweep] table, on all cores

example:
  llgnegf run examples/bloch_wall.toml -o runs/first

llgnegf COMMAND --help explains a command and gives an example.
Exit code: 0 done, 1 run failed, 2 bad input, 130 stopped (then: resume).
"""


Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Names of an argument, and the keywords that argparse takes for it."""


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: an integer >= 1")
    return number


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: an integer from 1 to 65535")
    return int(text)


def _argument(*names: str, **keywords: Any) -> Argument:
    return names, keywords


def _file(text: str) -> Argument:
    return _argument("file", metavar="FILE.toml", help=text)


def _output(text: str) -> Argument:
    return _argument("-o", "--output", metavar="DIR", help=text)


FOLDER = _argument("folder", metavar="DIR", help="run folder")
QUIET = _argument("-q", "--quiet", action="store_true", help="print errors only")

COMMANDS: dict[str, tuple[str, str, list[Argument]]] = {
    "run": (
        "Run an input file. The folder holds the resolved input, provenance, committed rows and, at the end,\n"
        "result.nc and plots. A run of the same input that was stopped in this folder goes on; another input, of a\n"
        "file of the same name elsewhere too, is refused there.",
        "run examples/bloch_wall.toml -o runs/first",
        [_file("input file"), _output("run folder (default: runs/NAME for NAME.toml)"), QUIET],
    ),
    "resume": (
        "Go on with a run from its last commit, to the same bits.",
        "resume runs/first",
        [
            FOLDER,
            _argument(
                "--force", action="store_true",
                help="go on though a process on another host may still run, or with rows of another version of llgnegf",
            ),
            QUIET,
        ],
    ),
    "rerun": (
        "Run the input stored in a run folder again, in a second folder, and compare the results bit for bit.",
        "rerun runs/first -o runs/again",
        [FOLDER, _output("second folder (default: DIR-rerun)"), QUIET],
    ),
    "show": ("Say what a run is, how far it is, its error budget and provenance.", "show runs/first", [FOLDER]),
    "view": (
        "Show a run, finished or not, on a page that follows it: moments, torques, currents, energies, error budget.\n"
        "The page is for this machine alone (127.0.0.1) and reads only. Needs the extra: pip install \"llgnegf[view]\"",
        "view runs/first",
        [
            FOLDER,
            _argument("--port", metavar="N", type=_port, help="port (default: a free one from 5006 on)"),
            _argument("--no-browser", action="store_true", help="print the address only"),
        ],
    ),
    "report": (
        "Write what `view` shows as one HTML file, which needs no network and no server.\n"
        "Needs the extra: pip install \"llgnegf[view]\"",
        "report runs/first -o first.html",
        [FOLDER, _argument("-o", "--output", metavar="FILE.html", help="the file (default: DIR/report.html)")],
    ),
    "plot": ("Draw the plots of a run, or of its rows so far, as PNG and PDF.", "plot runs/first", [FOLDER]),
    "oracle": (
        "Exact rotating-frame answer for steady precession: torque of each site by part, and lead currents,\n"
        "printed and saved as NAME_oracle.nc and NAME_oracle.csv.",
        "oracle examples/bloch_wall.toml",
        [
            _file('input file with [motion] kind = "precession"'),
            _output("folder for the two files (default: the current one)"),
        ],
    ),
    "figure": (
        "Draw a figure of Phys. Rev. Lett. 125, 187202.",
        "figure fig2 -o figures",
        [
            _argument("name", metavar="NAME", nargs="?", help="name of the figure, or all"),
            _argument("--list", action="store_true", help="list the names"),
            _output("folder (default: figures)"),
        ],
    ),
    "sweep": (
        "Run every point of [sweep], each in its own folder; finished points are kept, so the command resumes.\n"
        "All results are gathered in sweep.nc with the swept parameters as dims. With realisations = N in [sweep]\n"
        "each point runs with N seeds; means and standard errors over them are there too.",
        "sweep examples/sweep.toml -o runs/scan -j 4",
        [
            _file("input file with a [sweep] table"),
            _argument(
                "-j", "--workers", metavar="N", type=_positive,
                help="processes (default: sweep.workers, or one for each core)",
            ),
            _argument(
                "--scheduler", "--dask", metavar="ADDRESS",
                help="run on the workers of a dask scheduler: tcp://host:8786, or the file it wrote (--dask: old name)",
            ),
            _argument(
                "--wait", metavar="SECONDS", type=float,
                help="give up after so long without a worker of the scheduler (default: 600)",
            ),
            _output("folder (default: runs/NAME for NAME.toml)"),
            QUIET,
        ],
    ),
}  # fmt: skip
"""What each command does, an example, and its arguments."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="llgnegf", usage="llgnegf COMMAND ...", description=OVERVIEW, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    commands = parser.add_subparsers(prog="llgnegf", dest="command", metavar="", help=argparse.SUPPRESS)
    for name, (does, example, arguments) in COMMANDS.items():
        command = commands.add_parser(
            name, description=does, epilog=f"example:\n  llgnegf {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        for names, keywords in arguments:
            command.add_argument(*names, **keywords)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never shows a traceback (unless LLGNEGF_DEBUG is set)."""
    open_standard_streams()
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # ours is the lock; HDF5 fails where there are none
    parser = build_parser()
    given = parser.parse_args(arguments)
    if given.version:
        from llgnegf import __version__

        print(f"llgnegf {__version__}")
        return EXIT_OK
    if given.command is None:
        parser.print_help()
        return EXIT_OK
    return ended(lambda: import_module(f"llgnegf.commands.{given.command}").main(given))


if __name__ == "__main__":
    sys.exit(main())
