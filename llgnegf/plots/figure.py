"""The class of the package's figures: matplotlib's, drawn in the package's style wherever it is shown or written.

Made by `style.new_figure`, which loads this module, and matplotlib with it, when the first figure is made.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from llgnegf.plots.style import styled


class PackageFigure(Figure):
    """A Figure without pyplot, which a notebook shows even so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        FigureCanvasAgg(self)

    @styled
    def savefig(self, fname: Any, **options: Any) -> None:
        """As `matplotlib.figure.Figure.savefig`."""
        super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
