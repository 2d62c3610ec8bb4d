"""python -m llgnegf: the command line."""

import sys

from llgnegf.cli import main

if __name__ == "__main__":
    sys.exit(main())
