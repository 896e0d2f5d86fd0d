"""``python -m medsym`` is the command line."""

import sys

from medsym.cli import main

sys.exit(main())
