"""The commands, and the only place that prints."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from tune.cli.arguments import Arguments, parse
from tune.errors import EXIT_INTERRUPTED, PromotuneError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0, 1 (the search failed), 2 (the user's error), 130 (interrupted)."""
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        run: Callable[[Arguments], int] = import_module(f"tune.cli.{arguments.command}").run
        return run(arguments)
    except PromotuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
