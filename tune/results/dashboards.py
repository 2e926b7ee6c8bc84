"""TensorBoard and optuna-dashboard on an experiment, in this process: whatever ends it leaves nothing behind."""

import contextlib
import functools
import importlib.util
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tune.errors import StartError
from tune.paths import ExperimentPaths

HOST = "127.0.0.1"
OWN_NAMES = frozenset({HOST, "localhost"})
"""Of this machine, as a browser on it asks. Another name may be one that a page's owner lets lead here."""
OPTUNA_PORT = 8080
"""The first that is tried: optuna-dashboard's own default."""
N_PORTS = 100
"""So many are tried, one after the other."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ReadOnlyJournal(JournalFileBackend):
    """A journal that is followed and never written: its one writer is the driver of the search."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuse."""
        raise PermissionError("the ledger is read-only here: the search alone writes it")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        pass


@contextlib.contextmanager
def serve_optuna_dashboard(paths: ExperimentPaths) -> Iterator[str]:
    """Show the ledger, which may grow meanwhile; give the address. Nothing that is asked for in the browser writes."""
    from optuna_dashboard import wsgi

    app: Wsgi = wsgi(JournalStorage(ReadOnlyJournal(str(paths.journal))))
    server = _listen_on_port(_refuse_other_hosts(_refuse_writes(app)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/dashboard/studies/0"  # a ledger holds one study
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serve_tensorboard(folder: Path, metrics: Sequence[str] = ()) -> Iterator[str]:
    """Start TensorBoard on a folder; give the address. The ``metrics`` are pinned: they come before all others."""
    from tensorboard import program

    for name in ("werkzeug", "tensorboard"):  # they print what is asked for as it comes
        logging.getLogger(name).setLevel(logging.ERROR)
    # its threads are daemons, and its data server ends with our process
    yield _launch_tensorboard(program, folder, metrics)


def _launch_tensorboard(program: Any, folder: Path, metrics: Sequence[str]) -> str:
    """Take TensorBoard's usual port or one of the next, else any."""
    fast = "true" if importlib.util.find_spec("tensorboard_data_server") else "false"  # said, it prints no notice
    for port in ([], ["--port", "0"]):
        board = program.TensorBoard(server_class=functools.partial(_create_guarded_server, program, metrics))
        board.configure(argv=["tensorboard", "--logdir", str(folder), "--host", HOST, "--load_fast", fast, *port])
        with contextlib.suppress(program.TensorBoardServerException):
            return str(board.launch())
    raise StartError(
        None, f"TensorBoard can listen on no port of {HOST}", "End programs that hold ports, then try again."
    )


def _create_guarded_server(program: Any, metrics: Sequence[str], app: Wsgi, flags: Any) -> Any:
    return program.create_port_scanning_werkzeug_server(_refuse_other_hosts(_pin_metrics(app, metrics)), flags)


def _pin_metrics(app: Wsgi, metrics: Sequence[str]) -> Wsgi:
    """Answer who asks for the page with its address for pinned metrics.

    TensorBoard orders tags by their names, and has no other word for pins (tensorflow/tensorboard#6880).
    """
    cards = json.dumps([{"plugin": "scalars", "tag": name} for name in metrics])

    def redirect_page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if metrics and environ.get("PATH_INFO") == "/" and not environ.get("QUERY_STRING"):
            start_response("302 Found", [("Location", f"/?{urlencode({'pinnedCards': cards})}")])
            return []
        return app(environ, start_response)

    return redirect_page


def _refuse_other_hosts(app: Wsgi) -> Wsgi:
    """Answer who asks for this machine by a name of its own; refuse all others (DNS rebinding)."""

    def check_request(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_HOST", "").rpartition(":")[0] in OWN_NAMES or environ.get("HTTP_HOST") in OWN_NAMES:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [f"This is shown at http://{HOST} alone.\n".encode()]

    return check_request


def _listen_on_port(app: Wsgi) -> WSGIServer:
    for port in (*range(OPTUNA_PORT, OPTUNA_PORT + N_PORTS), 0):
        with contextlib.suppress(OSError):
            return make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
    raise StartError(
        None, f"optuna-dashboard can listen on no port of {HOST}", "End programs that hold ports, then try again."
    )


def _refuse_writes(app: Wsgi) -> Wsgi:
    """Let through what only reads; its buttons for notes, new studies and deleting are answered with a refusal."""

    def check_request(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": "This dashboard is read-only: the search alone writes its ledger."}).encode()]

    return check_request
