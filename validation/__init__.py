"""The claims of the package, one script each; `python -m validation` runs them all and writes a report.

Run from the root of the repository: this folder is no part of what is installed.
"""
