"""A movie of the moments, to be shown in a notebook and written as GIF or, by ffmpeg, as MP4.

Its pictures are those of `animation`; `accessor` makes it.
"""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from llgnegf._checks import need, path_of
from llgnegf._files import StorageError, write_atomic
from llgnegf.plots.animation import gif

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False, repr=False)
class Movie:
    """Pictures that follow one another.

    Attributes
    ----------
    frames : tuple of PIL.Image.Image
        The pictures, all of one size.
    fps : float
        How many are shown in a second.

    Examples
    --------
    >>> run = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
    >>> run.animate(fps=5).save("pair.gif").name
    'pair.gif'
    """

    frames: tuple[Image, ...]
    fps: float

    @cached_property
    def gif(self) -> bytes:
        """The movie as a GIF, bytes.

        Examples
        --------
        >>> run = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
        >>> run.animate().gif[:3]
        b'GIF'
        """
        return gif(list(self.frames), 1000 / self.fps)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the movie, there in full or not at all.

        Parameters
        ----------
        path : str or path
            A name that ends in .gif, or in .mp4 where the program ffmpeg is installed.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            For another ending, or without ffmpeg.
        StorageError
            If the file cannot be written, or ffmpeg fails.

        Examples
        --------
        >>> run = ln.simulate(None, ln.Magnet(ln.uniform(2), magnetic_moment=1.0), t_end=2.0)
        >>> run.animate().save("pair.avi")
        Traceback (most recent call last):
            ...
        llgnegf._checks.MistakesError: animate.path: 'pair.avi'; allowed: a name that ends in .gif or .mp4
        """
        place = check_path(path)
        write_atomic(place, [self.gif if place.suffix.lower() == ".gif" else _mp4(self, place)])
        return place

    def __repr__(self) -> str:
        width, height = self.frames[0].size
        count = len(self.frames)
        return f"Movie: {count} picture{'s' * (count != 1)} of {width} x {height} pixels, {self.fps:g} a second"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.gif).decode()
        return f'<img style="max-width: 100%" alt="{self!r}" src="data:image/gif;base64,{data}">'


def check_path(path: str | os.PathLike[str]) -> Path:
    """`path`; ValueError for a file that no movie is written to."""
    allowed = "a name that ends in .gif or .mp4"
    place = path_of("animate", "path", path, allowed)
    suffix = place.suffix.lower()
    need(suffix in (".gif", ".mp4"), "animate", "path", str(path), allowed)
    playable = suffix == ".gif" or _ffmpeg() is not None
    need(playable, "animate", "path", str(path), "a name that ends in .gif, unless ffmpeg is installed")
    return place


def _ffmpeg() -> str | None:
    """The program, by matplotlib's setting animation.ffmpeg_path; None without one."""
    import shutil

    import matplotlib

    return shutil.which(matplotlib.rcParams["animation.ffmpeg_path"])


def _mp4(movie: Movie, path: Path) -> bytes:
    """H.264 of even width and height, as every player takes it."""
    program = _ffmpeg()
    assert program is not None
    width, height = movie.frames[0].size
    even = f"{width - width % 2}:{height - height % 2}:0:0"
    with TemporaryDirectory(prefix="llgnegf-") as folder:
        file = Path(folder) / "movie.mp4"
        command = [
            program, "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
            "-r", f"{movie.fps:g}", "-i", "-", "-vf", f"crop={even}", "-pix_fmt", "yuv420p", str(file),
        ]  # fmt: skip
        pixels = b"".join(frame.convert("RGB").tobytes() for frame in movie.frames)
        done = subprocess.run(command, input=pixels, capture_output=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}"
            raise StorageError(path, f"cannot be made by ffmpeg: {said}")
        return file.read_bytes()
