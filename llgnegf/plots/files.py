"""The files of a run's plots: each there in full or not at all, and a record that says when they are all there.

Used by `plots.run` and `paper`; writes through `_files`, which follows no link that stands in the place of a file.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._files import StorageError, remove, storage_errors, write_atomic
from llgnegf.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECORD = "contents.txt"
"""Name of the record: how many rows the plots show, then a line for each file and for each plot that was not drawn."""


@dataclass(frozen=True)
class PlotReport:
    """What `plot_run` did.

    Attributes:
        written: The files.
        skipped: For each plot that was not made, why.
    """

    written: tuple[Path, ...]
    skipped: Mapping[str, str]


def begin(folder: Path) -> None:
    """Make the folder, or take the record of earlier plots out of it.

    Raises:
        StorageError: With path and errno; if the folder is a link to another place.
    """
    if folder.is_symlink():
        raise StorageError(folder, "is a symbolic link; allowed: a folder (what it points to would be overwritten)")
    with storage_errors(folder, "make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    remove(folder / RECORD)


def finish(folder: Path, n_rows: int, report: PlotReport) -> None:
    """Record that the plots of a run of `n_rows` rows are all there; raises StorageError."""
    lines = [_first_line(n_rows), *(path.name for path in report.written)]
    lines += [f"not drawn: {name} ({why})" for name, why in report.skipped.items()]
    write_atomic(folder / RECORD, [("\n".join(lines) + "\n").encode()])


def complete(folder: Path, n_rows: int) -> bool:
    """Whether `folder` has all plots of a run with `n_rows` rows: nothing stopped their drawing, none is lost."""
    try:
        first, *names = (folder / RECORD).read_text().splitlines() or [""]
    except (OSError, UnicodeDecodeError):
        return False
    drawn = [name for name in names if not name.startswith("not drawn: ")]
    return first == _first_line(n_rows) and all((folder / name).is_file() for name in drawn)


def _first_line(n_rows: int) -> str:
    return f"plots of {n_rows} rows"


@styled
def save(figure: Figure, stem: Path, pdf: bool, dpi: float | None = None) -> list[Path]:
    """Write `figure`, which is used up, as `stem`.png and if asked as `stem`.pdf; raises StorageError."""
    figure.set_dpi(dpi or figure.dpi)
    files = {stem.with_suffix(".png"): _png(figure)}
    if pdf:
        files[stem.with_suffix(".pdf")] = _pdf(figure)
    for path, content in files.items():
        write_atomic(path, [content])
    return list(files)


def _png(figure: Any) -> bytes:
    """One drawing, which lays the figure out too; `savefig` would draw it twice."""
    from PIL import Image

    figure.canvas.draw()
    figure.set_layout_engine("none")  # laid out once, for both files
    file = io.BytesIO()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    pixels.save(file, "png", dpi=(figure.dpi, figure.dpi))
    return file.getvalue()


def _pdf(figure: Figure) -> bytes:
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    file = io.BytesIO()
    # No dates in the files: the same data gives the same bytes.
    FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})
    return file.getvalue()
