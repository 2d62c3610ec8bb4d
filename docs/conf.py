"""How sphinx makes the site; CONTRIBUTING.md has the command.

Nothing is fetched during a build: formulas are drawn by the MathJax that `sphinx-mathjax-offline` brings, so that the
site can be read without a network too. Links into the documentation of numpy, scipy, xarray and others need their
inventories from the network and are made only with LLGNEGF_DOCS_INTERSPHINX=1; without it these names are plain text.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpydoc.xref

import llgnegf

ROOT = Path(__file__).parents[1]

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the notebooks, which run beside one another
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

project, author, copyright = "llgnegf", "the authors of llgnegf", "the authors of llgnegf"
version = release = llgnegf.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
    "input_file",
    "plain_docstrings",
]
exclude_patterns = ["_ext", "gallery", "auto_gallery/*.ipynb", "**.ipynb_checkpoints", "jupyter_execute"]
templates_path = ["_templates"]

# Markdown: $...$ and $$...$$ as on GitHub, anchors of headings likewise.
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True

mathjax3_config = {"chtml": {"matchFontHeight": False, "scale": 1.1}}

# API: a page for each public name, from the lists in api/*.rst. Types stand in the docstrings, not in signatures.
autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
highlight_language = "none"  # of formulas in docstrings; blocks of code say theirs
autodoc_member_order = "bysource"
autoclass_content = "class"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {name: f"llgnegf.{name}" for name in llgnegf.__all__ if name[0].isupper()}
default_role = "py:obj"  # `simulate` in a docstring: a link where it is a public name, code elsewhere
nitpick_ignore_regex = [("py:obj", ".*")]

intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "xarray": ("https://docs.xarray.dev/en/stable", None),
    "matplotlib": ("https://matplotlib.org/stable", None),
    "kwant": ("https://kwant-project.org/doc/1", None),
}
intersphinx_timeout = 10
if os.environ.get("LLGNEGF_DOCS_INTERSPHINX", "0") != "1":
    numpydoc.xref.DEFAULT_LINKS.clear()  # of float, array_like and others
    nitpick_ignore_regex += [("(py|std):.*", rf"(python:|builtins\.|pathlib\.|({'|'.join(intersphinx_mapping)})\.).*")]
    intersphinx_mapping = {}
else:
    numpydoc_xref_aliases |= {
        "ndarray": "numpy.ndarray", "Dataset": "xarray.Dataset", "DataArray": "xarray.DataArray", "Path": "pathlib.Path"
    }  # fmt: skip

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "matplotlib_animations": (True, "jshtml"),
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1,
    "write_computation_times": False,
    "doc_module": ("llgnegf",),
    "backreferences_dir": "api/backreferences",
    "copyfile_regex": r".*\.toml",
}

linkcheck_timeout = 20
linkcheck_anchors = False

html_theme = "pydata_sphinx_theme"
html_title = f"llgnegf {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
ALONE = ("index", "first_steps", "tour", "conventions", "input_file", "comparison", "limits")
html_sidebars = {page: [] for page in ALONE}  # they are sections of their own
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "navigation_depth": 3,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

FROM_ROOT = {
    "contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md", "code_of_conduct": "CODE_OF_CONDUCT.md"
}  # fmt: skip
"""Pages whose text is that of a file at the root."""


def _from_root(app: Any, page: str, source: list[str]) -> None:
    """Take the text of a file at the root, its links seen from docs/."""
    if page not in FROM_ROOT:
        return
    pages = {file: f"{name}.md" for name, file in FROM_ROOT.items()}
    text = (ROOT / FROM_ROOT[page]).read_text()
    source[0] = re.sub(
        r"\]\((?!\w+:|#)([^)]+)\)",
        lambda link: f"]({pages.get(link[1]) or os.path.relpath(link[1], 'docs')})", text,
    )  # fmt: skip


def setup(app: Any) -> None:
    """Called by sphinx."""
    app.connect("source-read", _from_root)
