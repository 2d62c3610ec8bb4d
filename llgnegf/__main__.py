"""python -m llgnegf: the command line."""

import sys

from llgnegf.cli import main

sys.exit(main())
