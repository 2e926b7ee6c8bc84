"""The command line: ``python run_search.py --help``."""

import gc
import sys

from tune.cli import main

if __name__ == "__main__":
    status = main()
    gc.freeze()  # else the interpreter looks for cycles among millions of objects before it ends: a second
    sys.exit(status)
