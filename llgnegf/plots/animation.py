"""The moments of a run as an animated GIF: arrows along the wire that turn, with the time above them.

Axes, ticks and colour bar are drawn once; a frame is that picture with its arrows and its time over it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.plots.data import MissingDataError, place_of, require, thin, vectors
from llgnegf.plots.style import new_figure, styled

if TYPE_CHECKING:
    import xarray
    from PIL.Image import Image

MAX_FRAMES = 40
FRAME_MS = 80
"""Most frames, and the time each is shown in ms."""
WIDTH, HEIGHT, DPI = 7.0, 2.1, 150
"""Of a frame, in inches and dots per inch."""
COLOUR_MAP = "PuOr_r"


def animation(dataset: xarray.Dataset) -> bytes:
    """The GIF: arrows are (M_x, M_z), their colour is M_y.

    Raises:
        MissingDataError: Without moments or rows.
    """
    require(dataset, "moments")
    if not dataset.sizes["time"]:
        raise MissingDataError("no rows")
    rows = thin(dataset.sizes["time"], MAX_FRAMES)
    place = place_of(dataset, "moments")
    frames = _frames(vectors(dataset, "moments", rows), dataset["time"].values[rows], place)
    return _encoded(frames)


@styled
def _frames(moments: np.ndarray, time: np.ndarray, place: str) -> list[Image]:
    """One picture for each row of `moments` (n, N, 3)."""
    from PIL import Image

    figure, arrows, title = _figure(moments[0], place)
    canvas: Any = figure.canvas
    canvas.draw()
    empty = canvas.copy_from_bbox(figure.bbox)
    frames = []
    for m, t in zip(moments, time, strict=True):
        canvas.restore_region(empty)
        arrows.set_UVC(m[:, 0], m[:, 2], m[:, 1])
        title.set_text(f"t = {t:.4g} fs")
        for artist in (arrows, title):
            figure.draw_artist(artist)
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    return frames


def _figure(moments: np.ndarray, place: str) -> tuple[Any, Any, Any]:
    """The figure, laid out, and what moves in it: the arrows and the title."""
    n_sites = len(moments)
    figure = new_figure(HEIGHT, WIDTH, dpi=DPI)
    axes = figure.subplots()
    position = np.arange(n_sites)
    length = 0.45  # of the distance between sites, so that neighbours do not touch
    arrows = axes.quiver(
        position, np.zeros(n_sites), moments[:, 0], moments[:, 2], moments[:, 1],
        cmap=COLOUR_MAP, clim=(-1, 1), pivot="middle", units="width", scale_units="width",
        scale=max(n_sites, 4) / (2 * length), width=min(0.012, 0.12 / max(n_sites, 4)),
        edgecolor="black", linewidth=0.5,
    )  # fmt: skip
    margin = max(0.6, 0.5 * (4 - n_sites))
    axes.set(xlim=(-margin, n_sites - 1 + margin), ylim=(-1, 1), xlabel=place, yticks=[])
    axes.set_xticks(range(0, n_sites, -(-n_sites // 10)))
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    figure.colorbar(arrows, ax=axes, label=r"$M_y$", pad=0.01)
    axes.set_ylabel(r"$M_z$ up, $M_x$ right")
    title = axes.set_title("t = 0 fs")
    # One layout for all frames: nothing jumps.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for artist in (arrows, title):
        artist.set_animated(True)
    return figure, arrows, title


def _encoded(frames: list[Image]) -> bytes:
    """A GIF with one palette, of which only what changes is stored with a frame."""
    from PIL import Image

    palette = _palette()
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    file = io.BytesIO()
    first.save(file, "gif", save_all=True, append_images=others, duration=FRAME_MS, loop=0)
    return file.getvalue()


def _palette() -> Image:
    """Shades of the colour map, of grey, and of colours that blend into black edges and white paper."""
    from matplotlib import colormaps
    from PIL import Image

    def shades(positions: np.ndarray) -> np.ndarray:
        return 255 * colormaps[COLOUR_MAP](positions)[:, :3]

    # Pillow compares colours coarsely: nothing else comes close to white, which is most of the picture.
    greys = np.repeat(np.linspace(0, 255, 20)[:, None], 3, axis=1)
    strong = np.concatenate([np.linspace(0, 0.35, 15), np.linspace(0.65, 1, 15)])
    blends = [0.5 * shades(strong), 127.5 + 0.5 * shades(strong)]
    colours = np.concatenate([greys, shades(np.linspace(0, 1, 175)), *blends])
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.round().astype(np.uint8).tobytes())
    return palette
