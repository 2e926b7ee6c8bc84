"""The command line: ``python run_search.py --help``."""

from tune.cli import program

if __name__ == "__main__":
    program()
