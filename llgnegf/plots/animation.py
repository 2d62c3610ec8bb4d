"""The moments of a run as an animated GIF: arrows along the wire or in the plane that turn, with the time above them.

Axes, ticks and colour bar are drawn once; a frame is that picture with what moves over it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llgnegf.plots.data import MissingDataError, place_of, require, thin, vectors
from llgnegf.plots.maps import draw_vectors
from llgnegf.plots.plane import Plane, plane_of
from llgnegf.plots.style import DIVERGING, colour_map, new_figure, styled
from llgnegf.plots.textures import draw_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray
    from PIL.Image import Image

MAX_FRAMES = 40
FRAME_MS = 80
"""Most frames, and the time each is shown in ms."""
WIDTH, HEIGHT, DPI = 6.4, 2.0, 125
"""Of a frame, in inches and dots per inch: 800 pixels wide."""
HIGHEST = 6.4
"""Of a frame with a plane, in inches."""


class Scene(NamedTuple):
    """The picture of a frame: what moves in it, and what gives it other moments (N, 3)."""

    figure: Any
    title: Any
    moving: tuple[Any, ...]
    show: Callable[[np.ndarray], None]


def animation(dataset: xarray.Dataset) -> bytes:
    """The GIF of the `pictures` of a run; raises MissingDataError."""
    return gif(pictures(dataset))


def pictures(dataset: xarray.Dataset, most: int = MAX_FRAMES) -> list[Image]:
    """At most that many frames: arrows are (M_x, M_z) along a wire and their colour M_y; in the plane of the sites,
    (M_x, M_y) over M_z.

    Raises:
        MissingDataError: Without moments or rows.
    """
    require(dataset, "moments")
    if not dataset.sizes["time"]:
        raise MissingDataError("no rows")
    rows = thin(dataset.sizes["time"], most)
    place = plane_of(dataset, place_of(dataset, "moments")) or place_of(dataset, "moments")
    return _frames(place, vectors(dataset, "moments", rows), dataset["time"].values[rows])


@styled
def _frames(place: Plane | str, moments: np.ndarray, time: np.ndarray) -> list[Image]:
    """One picture for each row of `moments` (n, N, 3), in a plane or along a wire of sites or moments."""
    from PIL import Image

    scene = _along_wire(place, moments[0]) if isinstance(place, str) else _in_plane(place, moments[0])
    figure, artists = scene.figure, (*scene.moving, scene.title)
    # One layout for all frames: nothing jumps.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for artist in artists:
        artist.set_animated(True)
    figure.canvas.draw()
    empty = figure.canvas.copy_from_bbox(figure.bbox)
    frames = []
    for m, t in zip(moments, time, strict=True):
        figure.canvas.restore_region(empty)
        scene.show(m)
        scene.title.set_text(f"t = {t:.4g} fs")
        for artist in artists:
            figure.draw_artist(artist)
        frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()))
    return frames


def _in_plane(plane: Plane, moments: np.ndarray) -> Scene:
    """Arrows over colours at the places of the sites."""
    across = list(plane.axes)
    width, height = plane.extent + 0.4 * plane.spacing
    figure = new_figure(min(1.0 + (WIDTH - 1.5) * height / width, HIGHEST), WIDTH, dpi=DPI)
    axes = figure.subplots()
    cells, arrows = draw_vectors(axes, plane, moments[:, across], 1.0, 1.0)
    first, second, third = plane.names
    axes.set(xlabel=f"{first} (nm)", ylabel=f"{second} (nm)")
    box = axes.inset_axes((1.03, 0.0, 0.03, 1.0))
    figure.colorbar(cells, cax=box, label=rf"$M_{third}$")
    figure.supxlabel(rf"arrows: $(M_{first}, M_{second})$", fontsize="medium")
    figure.draw_without_rendering()  # axes to scale need a second look at what labels take

    def show(m: np.ndarray) -> None:
        cells.set_array(m[:, across[2]])
        arrows.set_UVC(*m[plane.arrows][:, across[:2]].T)

    return Scene(figure, axes.set_title("t = 0 fs"), (cells, arrows), show)


def _along_wire(place: str, moments: np.ndarray) -> Scene:
    """Arrows beside one another."""
    figure = new_figure(HEIGHT, WIDTH, dpi=DPI)
    axes = figure.subplots()
    arrows = draw_wire(axes, place, moments)
    figure.colorbar(arrows, ax=axes, label=r"$M_y$", pad=0.01)

    def show(m: np.ndarray) -> None:
        arrows.set_UVC(m[:, 0], m[:, 2], m[:, 1])

    return Scene(figure, axes.set_title("t = 0 fs"), (arrows,), show)


def gif(frames: list[Image], frame_ms: float = FRAME_MS) -> bytes:
    """A GIF with one palette, of which only what changes is stored with a frame."""
    from PIL import Image

    palette = _palette()
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    file = io.BytesIO()
    first.save(file, "gif", save_all=True, append_images=others, duration=round(frame_ms, -1), loop=0)
    return file.getvalue()


def _palette() -> Image:
    """Shades of the colour map, of grey, and of colours that blend into black edges and white paper."""
    from PIL import Image

    def shades(positions: np.ndarray) -> np.ndarray:
        return 255 * colour_map(DIVERGING)(positions)[:, :3]

    # Pillow compares colours coarsely: nothing else comes close to white, which is most of the picture.
    greys = np.repeat(np.linspace(0, 255, 20)[:, None], 3, axis=1)
    strong = np.concatenate([np.linspace(0, 0.35, 15), np.linspace(0.65, 1, 15)])
    blends = [0.5 * shades(strong), 127.5 + 0.5 * shades(strong)]
    colours = np.concatenate([greys, shades(np.linspace(0, 1, 175)), *blends])
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.round().astype(np.uint8).tobytes())
    return palette
