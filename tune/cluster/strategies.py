"""Trials of several processes: how many, what they need, and which strategies of Lightning's train them together."""

import re
from dataclasses import replace

from tune.errors import OptionError
from tune.space.dimensions import Value
from tune.space.settings import Settings

ALLOWED_STRATEGIES = re.compile(r"(ddp|fsdp|deepspeed)(?!.*(spawn|fork|notebook)).*")
"""Strategies of processes that run already; `ddp_spawn` and its like start some of their own."""
ON_GPUS = ("fsdp", "deepspeed")
"""Strategies that Lightning has for GPUs alone."""
STRATEGY_HINT = "Write `ddp`, `ddp_find_unused_parameters_true`, or `fsdp` with GPUs."
ONE_DEVICE = (None, 1, "1", [0])
"""What `trainer.devices` may be: a trial of one process takes one device, or is on the CPU."""
ALL_DEVICES = ("auto", -1, "-1")
"""What it may be, too, where a trial sees one device for each process."""


def count_processes(settings: Settings) -> int:
    """Return how many processes train a trial: with two GPUs or more one for each, unless it is said."""
    if settings.workers_per_trial is not None:
        return settings.workers_per_trial
    share = settings.gpus_per_trial
    return int(share) if isinstance(share, int | float) and share > 1 else 1


def add_process_defaults(settings: Settings, n_gpus: int) -> Settings:
    """Return the settings with what the processes of a trial need: a GPU each where there are any, and a core each.

    Raises OptionError at what no several processes can have.
    """
    number = count_processes(settings)
    _check_devices(settings, number)
    if number == 1:
        return settings
    on_cpu = settings.trainer.get("accelerator") == "cpu"
    share = settings.gpus_per_trial
    if share is None:
        share = float(number) if n_gpus and not on_cpu else 0.0
    if share not in (0, number):
        what = f"{number} workers need {number} GPUs, or none, got {share}"
        raise OptionError("gpus_per_trial", what, f"Write `gpus_per_trial: {number}`, or leave it out.")
    _check_strategy(settings.trainer.get("strategy"), on_gpus=bool(share))
    return replace(settings, gpus_per_trial=share, cpus_per_trial=max(settings.cpus_per_trial or 1, number))


def _check_devices(settings: Settings, number: int) -> None:
    """Raise OptionError where the Trainer would start processes of its own, or take a device that no trial sees."""
    devices, num_nodes = settings.trainer.get("devices"), settings.trainer.get("num_nodes")
    own = "the processes of a trial are the search's to start, got"
    hint = "Write `workers_per_trial: 2`, or `gpus_per_trial: 2`."
    if num_nodes not in (None, 1, "1"):
        raise OptionError("trainer.num_nodes", f"{own} {num_nodes!r}", hint)
    if devices in (*ONE_DEVICE, number):
        return
    if devices in ALL_DEVICES:
        if number == 1 and count_processes(replace(settings, workers_per_trial=None)) > 1:
            hint = "Leave `workers_per_trial` out for one on each GPU, or `devices` for one alone."
            raise OptionError("trainer.devices", f"{own} {devices!r}", hint)
        return
    if isinstance(devices, list) and len(devices) == 1 and str(devices[0]).isdecimal():
        what = f"a trial sees the GPU that it is given, as device 0, and no other one, got {devices!r}"
        raise OptionError("trainer.devices", what, f"Leave it out, and write `--gpu {devices[0]}`.")
    raise OptionError("trainer.devices", f"{own} {devices!r}", hint)


def _check_strategy(strategy: Value, *, on_gpus: bool) -> None:
    if strategy in (None, "auto"):
        return
    if not isinstance(strategy, str) or not ALLOWED_STRATEGIES.fullmatch(strategy):
        what = f"the workers of a trial cannot train by it together, got {strategy!r}"
        raise OptionError("trainer.strategy", what, STRATEGY_HINT)
    if strategy.startswith(ON_GPUS) and not on_gpus:
        what = f"Lightning has {strategy!r} for GPUs alone, and these trials run on the CPU"
        raise OptionError("trainer.strategy", what, "Leave it out: then the workers train with `ddp`.")
