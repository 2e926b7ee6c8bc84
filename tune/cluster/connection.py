"""How a driver reaches Ray: the address of a cluster, and the environment of a driver. Nothing here needs Ray."""

import contextlib
import math
import os
import socket
from collections.abc import Iterator, Mapping

from tune.errors import OptionError
from tune.nvml import NVML_ORDER
from tune.storage_url import is_url

DRIVER_ENVIRONMENT = {
    **NVML_ORDER,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # they would write a second copy of everything
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours ends the running epochs first
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # with 1, a trial that is long in ending would keep other actors waiting
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Ray's own experiment state is disposable: the ledger is ours
    "RAY_prestart_worker_first_driver": "0",  # the driver would wait for these workers, for ever where one dies first
    "RAY_raylet_client_connect_timeout_milliseconds": "50",  # Ray's own second makes every other start a second longer
    "RAY_raylet_client_num_connect_attempts": "200",  # ten seconds in all, as ever
}


START_S = 300.0
"""So long Ray may take to start, and an actor for the first trial after that: on a machine that is busy, a minute."""
START_VARIABLE = "PROMOTUNE_RAY_START_S"
"""Another number of seconds, in the environment."""


def read_start_limit() -> float:
    """Return how many seconds Ray has; raise OptionError where the variable holds no such number."""
    text = os.environ.get(START_VARIABLE, str(START_S))
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    what = f"expected a number of seconds above 0, got {text!r}"
    raise OptionError(START_VARIABLE, what, f"Unset the variable: Ray has {START_S:.0f} s then.")


FORCED = frozenset(
    {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS",
        "TUNE_DISABLE_SIGINT_HANDLER",
        "CUDA_VISIBLE_DEVICES",
    }
)
"""Set whatever the user's environment says."""


@contextlib.contextmanager
def set_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables, where the user has not, and put all back as it was."""
    before = dict(os.environ)
    os.environ.update({name: value for name, value in variables.items() if name not in before or name in FORCED})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


AUTO, CLIENT = "auto", "ray://"
ANSWER_S = 5.0
"""So soon a cluster that is there takes a connection; Ray itself would try for minutes."""


def parse_address(address: str) -> str | None:
    """Return ``host:port``; None of ``auto``, which Ray knows. Raise OptionError where the text is no address."""
    if address == AUTO:
        return None
    door = address.removeprefix(CLIENT)
    host, _, port = door.rpartition(":")
    if is_url(door) or not host or not port.isdecimal():
        hint = "Write auto, HOST:6379, or ray://HOST:10001."
        raise OptionError("--address", f"this is no address of a cluster, got {address!r}", hint)
    return door


def check_reachable(door: str) -> None:
    """Raise OptionError where nobody answers."""
    host, _, port = door.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = f"no cluster answers at {door}: {reason}"
        raise OptionError("--address", what, "Start it, or let this machine through its firewall.") from error
