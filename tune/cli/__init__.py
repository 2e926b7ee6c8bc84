"""The commands, and the only place that prints."""

import sys
from collections.abc import Sequence

from tune.cli.commands import command_of, split
from tune.cli.streams import complain, ensure_streams
from tune.errors import EXIT_INTERRUPTED, PromotuneError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0, 1 (the search failed), 2 (the user's error), 130 (interrupted)."""
    ensure_streams()
    try:
        name, words = split(sys.argv[1:] if argv is None else argv)
        command = command_of(name)
        return command.run(command.parser().read(words))
    except PromotuneError as error:
        complain(f"{error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
