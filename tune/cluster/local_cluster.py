"""The Ray that a search runs on: its own for that time, or one that runs already. Ray itself is imported late."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping

from tune.cluster.connection import DRIVER_ENVIRONMENT, set_environment
from tune.cluster.process_server import run_server
from tune.cluster.resources import Resources


@contextlib.contextmanager
def local_cluster(
    resources: Resources,
    on_dashboard: Callable[[str], None] = lambda address: None,
    on_stuck: Callable[[str], None] = lambda how: None,
    on_interrupt: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Start Ray on this machine, and end it; a Ray that runs already in this process is used, and left running.

    ``on_dashboard`` hears the address of its dashboard, ``127.0.0.1:8265``, once it is up: from another thread.
    ``on_stuck`` is called in another thread where Ray died as it started, with how, and this will not return.
    ``on_interrupt`` is called with a Ctrl-C while Ray starts, from the signal's handler; the search ends as it begins.
    """
    if is_ray_running():
        if resources.reached is not None and resources.reached.dashboard is not None:
            on_dashboard(resources.reached.dashboard)
        with set_environment(DRIVER_ENVIRONMENT):
            yield
        return
    with set_environment({**DRIVER_ENVIRONMENT, **_device_variables(resources)}), run_server():
        from tune.cluster.local_ray import run_own_ray  # a quarter of a second, while the template imports

        with run_own_ray(resources, on_dashboard, on_stuck, on_interrupt):
            yield


def is_ray_running() -> bool:
    """Tell whether a Ray runs in this process."""
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()


def _device_variables(resources: Resources) -> Mapping[str, str]:
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, resources.gpus))} if resources.gpus else {}
