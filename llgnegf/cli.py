"""The command line: llgnegf run | resume | rerun | show | plot | oracle | figure | sweep.

Only the parser lives here, so that help and mistakes answer at once; `commands` does the work.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

EXIT_OK, EXIT_FAILURE, EXIT_BAD_INPUT, EXIT_STOPPED = 0, 1, 2, 130

OVERVIEW = """\
Conduction electrons and classical moments, together in time (TDNEGF + LLG).

commands:
  run FILE.toml      run an input file: a folder with result.nc and plots
  resume DIR         go on with a run that was stopped or killed
  rerun DIR          reproduce a stored run from its folder alone, and compare
  show DIR           what a run is, how far, its error budget, its provenance
  plot DIR           draw the plots of a run again
  oracle FILE.toml   exact rotating-frame torques by part, and lead currents
  figure NAME        a figure of PRL 125, 187202 (names: figure --list)
  sweep FILE.toml    run every point of the [sweep] table, on all cores

example:
  llgnegf run examples/bloch_wall.toml -o runs/first
  llgnegf show runs/first

llgnegf COMMAND --help explains a command and gives an example.
Exit code: 0 done, 1 run failed, 2 bad input, 130 stopped (then: resume).
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="llgnegf", usage="llgnegf COMMAND ...", description=OVERVIEW, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    commands = parser.add_subparsers(dest="command", metavar="", help=argparse.SUPPRESS)

    def add(name: str, does: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, description=does, epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    run = add(
        "run",
        "Run an input file. The folder holds the resolved input, provenance, committed rows and, at the end,\n"
        "result.nc and plots. A run of the same input that was stopped in this folder goes on.",
        "llgnegf run examples/bloch_wall.toml -o runs/first",
    )
    run.add_argument("file", metavar="FILE.toml", help="input file")
    _output(run, "run folder (default: runs/NAME for NAME.toml)")
    _quiet(run)
    resume = add("resume", "Go on with a run from its last commit, to the same bits.", "llgnegf resume runs/first")
    resume.add_argument("folder", metavar="DIR", help="run folder")
    text = "go on though a process on another host may still run, or with rows of another version of llgnegf"
    resume.add_argument("--force", action="store_true", help=text)
    _quiet(resume)
    rerun = add(
        "rerun",
        "Run the input stored in a run folder again, in a second folder, and compare the results bit for bit.",
        "llgnegf rerun runs/first -o runs/again",
    )
    rerun.add_argument("folder", metavar="DIR", help="run folder")
    _output(rerun, "second folder (default: DIR-rerun)")
    _quiet(rerun)
    show = add("show", "Say what a run is, how far it is, its error budget and provenance.", "llgnegf show runs/first")
    show.add_argument("folder", metavar="DIR", help="run folder")
    plot = add("plot", "Draw the plots of a run, or of its rows so far, as PNG and PDF.", "llgnegf plot runs/first")
    plot.add_argument("folder", metavar="DIR", help="run folder")
    oracle = add(
        "oracle",
        "Exact rotating-frame answer for steady precession: torque of each site by part, and lead currents,\n"
        "printed and saved as NAME_oracle.nc and NAME_oracle.csv.",
        "llgnegf oracle examples/bloch_wall.toml",
    )
    oracle.add_argument("file", metavar="FILE.toml", help="input file with [motion] kind = \"precession\"")
    _output(oracle, "folder for the two files (default: the current one)")
    figure = add("figure", "Draw a figure of Phys. Rev. Lett. 125, 187202.", "llgnegf figure fig2 -o figures")
    figure.add_argument("name", metavar="NAME", nargs="?", help="name of the figure, or all")
    figure.add_argument("--list", action="store_true", help="list the names")
    _output(figure, "folder (default: figures)")
    sweep = add(
        "sweep",
        "Run every point of [sweep], each in its own folder; finished points are kept, so the command resumes.\n"
        "All results are gathered in sweep.nc with the swept parameters as dims.",
        "llgnegf sweep examples/sweep.toml -o runs/scan -j 4",
    )
    sweep.add_argument("file", metavar="FILE.toml", help="input file with a [sweep] table")
    text = "processes (default: sweep.workers, or one for each core)"
    sweep.add_argument("-j", "--workers", metavar="N", type=_positive, help=text)
    _output(sweep, "folder (default: runs/NAME for NAME.toml)")
    _quiet(sweep)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never shows a traceback (unless LLGNEGF_DEBUG is set)."""
    _open_standard_streams()
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
    try:
        from llgnegf import commands

        commands.check_thread_variables()
        with _warnings_in_one_line():
            return commands.COMMANDS[given.command](given)
    except KeyboardInterrupt:
        return _complain(["stopped; nothing more was saved"], EXIT_STOPPED)
    except Exception as error:
        if os.environ.get("LLGNEGF_DEBUG"):
            raise
        return _complain(*_worded(error))


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Doubts about an input or a result on one line each, and once for each command; others as Python shows them."""
    from llgnegf.problem.plausibility import SuspiciousValueWarning
    from llgnegf.run.error_budget import AccuracyWarning

    seen: set[str] = set()
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, SuspiciousValueWarning | AccuracyWarning):
            usual(message, category, *where, **more)
        elif str(message) not in seen:
            seen.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _open_standard_streams() -> None:
    """Give streams that the caller closed to /dev/null: the next file opened would become standard error otherwise."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _worded(error: Exception) -> tuple[list[str], int]:
    """Lines and exit code for an error."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, ValueError):
        return text.splitlines(), EXIT_BAD_INPUT
    line = " ".join(text.split())
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        cause = " ".join((error.strerror or line).split())  # HDF5 spreads its reasons over several lines
        return [f"{where}{cause}" + ("" if error.errno is None else f" (errno {error.errno})")], EXIT_FAILURE
    if isinstance(error, RuntimeError):
        return [line], EXIT_FAILURE
    if isinstance(error, MemoryError):
        return [f"not enough memory: {line}"], EXIT_FAILURE
    return [f"{type(error).__name__}: {line} (LLGNEGF_DEBUG=1 shows where)"], EXIT_FAILURE


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return code


def _output(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("-o", "--output", metavar="DIR", help=text)


def _quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: an integer >= 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
