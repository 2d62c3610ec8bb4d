"""llgnegf plot DIR, and the plots at the end of a run."""

from __future__ import annotations

import argparse

from llgnegf.commands.ending import EXIT_OK, say
from llgnegf.commands.oracle import oracle_or_none
from llgnegf.config import RunConfig
from llgnegf.plots.files import PlotReport
from llgnegf.run.progress import shown
from llgnegf.store import RunFolder

PLOTS = "plots"
"""Subfolder of a run folder."""


def main(given: argparse.Namespace) -> int:
    """Draw the plots of a run, as PDF too."""
    report = draw_plots(RunFolder.open(given.folder), pdf=True)
    say(*report.written, *(f"not drawn: {name} ({why})" for name, why in report.skipped.items()))
    return EXIT_OK


def draw_plots(folder: RunFolder, quiet: bool = False, pdf: bool = False) -> PlotReport:
    """The plots of a run, in its subfolder plots, beside the oracle where there is one."""
    from llgnegf.plots.run import plot_run

    with shown(not quiet, "plots") as progress:
        progress(0, 0, "rotating frame to compare with")
        exact = oracle_or_none(RunConfig.loads(folder.config_text))
        with folder.dataset() as dataset:
            return plot_run(dataset, folder.path / PLOTS, exact, pdf=pdf, progress=progress)
