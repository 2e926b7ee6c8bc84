"""The commands, and the only place that prints."""

import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tune.cli.command_parsers import build_parser
from tune.cli.parser import import_command, split_command
from tune.cli.terminal.streams import ensure_streams, print_error
from tune.errors import EXIT_INTERRUPTED, EXIT_USER, PromotuneError
from tune.gc_control import collector_paused_for_long
from tune.paths import find_program_file
from tune.storage_url import check_utf8
from tune.version import __version__

OF_THE_PATH = {
    errno.ENAMETOOLONG: "Write a shorter name.",
    errno.ELOOP: "Remove the link that leads to itself.",
    errno.EACCES: "Give another path, or ask for the permission.",
    errno.EPERM: "Give another path, or ask for the permission.",
    errno.EROFS: "Give a path that can be written.",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Make room there, and give the command again."),
    errno.ENOENT: "Was it deleted or renamed meanwhile? Give the command again.",
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENXIO), "Move away what lies there."),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "Is the disk or the network drive there?"),
}
"""What to do where the file system refuses a path: one that the user gave, or one of an experiment's files."""


VERBOSE_VERSION = ["--version", "-v"]
"""The words that ask for the versions of libraries, in the order of ``sorted``."""

_INSTALL = (
    "pip install -e ." if Path(__file__).parents[2].joinpath("pyproject.toml").is_file() else "pip install promotune"
)
"""What installs this code: from a checkout, or from the Python package index."""


def show_versions() -> int:
    """Print our version and those of the libraries, with the private parts of them that are missing."""
    from tune.internals.private_apis import describe_missing_apis  # imports each of them

    sys.stdout.write("\n".join([f"promotune {__version__}", *describe_missing_apis(), ""]))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0, 1 (the search failed), 2 (the user's error), 130 (interrupted)."""
    ensure_streams()
    try:
        name, words = split_command(sys.argv[1:] if argv is None else argv)
        if sorted(words) == VERBOSE_VERSION:
            return show_versions()
        given = build_parser(name).parse_words(words)
        for word in words:
            check_utf8(word, None)
        with contextlib.suppress(FileNotFoundError):
            check_utf8(str(Path.cwd()), "the working directory")
        if isinstance(program := getattr(given, "program", None), str):
            find_program_file(Path(program))  # before anything is imported that only a program needs
        return _check_output(import_command(name).run(given))
    except PromotuneError as error:
        print_error(f"{error}\n")
        return error.exit_status
    except OSError as error:
        if error.filename is None or error.errno not in OF_THE_PATH:
            raise
        print_error(f"{error.filename}: {error.strerror}\n  {OF_THE_PATH[error.errno]}\n")
        return EXIT_USER
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __package__.partition(".")[0]:
            raise
        print_error(
            f"{error.name}: not installed for {sys.executable}, which runs this command\n"
            f"  Use the Python of the environment that Promotune is installed in, or install it here: {_INSTALL}\n"
        )
        return EXIT_USER
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _check_output(status: int) -> int:
    """Return the exit status of a command; an error where its standard output is a file for which there was no room."""
    console = sys.modules.get("tune.cli.terminal.console")
    if console is None or not console.pop_is_cut():
        return status
    what = f"not all of it was written: {os.strerror(errno.ENOSPC)}"
    print_error(f"standard output: {what}\n  {OF_THE_PATH[errno.ENOSPC]}\n")
    return status or EXIT_USER


def program() -> NoReturn:
    """Be the whole of a process; what a command makes stays until its end, but for what trials and web pages leave."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.default_int_handler)  # until a search takes it, it is a Ctrl-C
    with collector_paused_for_long():
        status = main()
        gc.freeze()  # else the interpreter looks for cycles among millions of objects before it ends: a second
    watch = sys.modules.get("tune.cluster.ray_health")
    if watch is not None and watch.is_lost():  # threads of Ray's would keep the process, or abort it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
