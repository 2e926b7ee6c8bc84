"""The command line: ``python -m tune --help``."""

from tune.cli import program

if __name__ == "__main__":
    program()
