"""Run notebooks of this folder and store their outputs: python docs/notebooks/store_outputs.py paper skyrmion.

Pictures keep 128 colours, a third of their size; without names all notebooks are run. Takes what `.[docs]` installs.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent


def smaller(picture: str) -> str:
    """A base64 PNG with a palette of 128 colours."""
    image, smaller = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"), io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()


def store(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = smaller(data["image/png"])
                output.metadata.clear()
    notebook.metadata.language_info = {"name": "python"}  # without the version that it was run with
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.ipynb")):
        store(HERE / f"{name}.ipynb")
