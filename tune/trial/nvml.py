"""The NVIDIA GPUs of this machine, as NVML lists them. CUDA is not asked: it needs torch, and would hinder a fork."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
"""Where the drivers of NVIDIA and AMD are: a machine that has one of these has a GPU."""
INDEX = re.compile(r"\+?([0-9]{1,9})")
"""CUDA reads the digits that an entry begins with, and no further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU of this machine."""

    uuid: str = ""
    """``GPU-5ebe...``; empty where it is not known."""
    name: str = ""
    """``NVIDIA H200``; empty where it is not known."""


def list_gpus() -> tuple[Gpu, ...]:
    """Return all GPUs, whatever is visible, in NVML's order; none where NVML does not tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        try:
            return tuple(_describe_gpu(index) for index in range(int(pynvml.nvmlDeviceGetCount())))
        finally:
            pynvml.nvmlShutdown()
    return ()


def explain_no_gpu() -> str | None:
    """Return why NVML does not list the GPUs; None where it would, and where nothing says that there are any.

    Most machines without a GPU lack NVML's library: that is a reason only where there is a driver.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_LIBRARY_NOT_FOUND or any(driver.exists() for driver in DRIVERS):
            return str(error)
    return None


def _describe_gpu(index: int) -> Gpu:
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):  # one that is lost is counted all the same
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        return Gpu(uuid=str(pynvml.nvmlDeviceGetUUID(handle)), name=str(pynvml.nvmlDeviceGetName(handle)))
    return Gpu()


def select_visible(visible: str, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """Return the GPUs that a value of CUDA_VISIBLE_DEVICES names, by index or by whole UUID.

    The rule is CUDA's, as ``torch.cuda._parse_visible_devices`` has it: what names no GPU, or names it otherwise than
    the first entry does, ends the list, and a GPU that is named twice makes it empty.
    """
    entries = [entry.strip() for entry in visible.split(",")]
    prefix = next((each for each in ("GPU-", "MIG-") if entries[0].startswith(each)), "")
    found: list[str] = []
    for entry in entries:
        name = _match_uuid(entry, prefix, gpus) if prefix else _match_index(entry, len(gpus))
        if name is None:
            break
        if name in found:
            return ()
        found.append(name)
    return tuple(found)


def _match_index(entry: str, n_gpus: int) -> str | None:
    match = INDEX.match(entry)
    return str(int(match[1])) if match is not None and int(match[1]) < n_gpus else None


def _match_uuid(entry: str, prefix: str, gpus: Sequence[Gpu]) -> str | None:
    """Return the one UUID that begins so; the entry as it is where it may be one that is not known."""
    if not gpus or not entry.startswith(prefix):
        return None
    matches = [gpu.uuid for gpu in gpus if gpu.uuid.startswith(entry)]
    if not matches and (prefix == "MIG-" or not all(gpu.uuid for gpu in gpus)):
        return entry
    return matches[0] if len(matches) == 1 else None


def find_gpu(name: str, gpus: Sequence[Gpu]) -> Gpu | None:
    """Return the GPU that ``select_visible`` calls so; None where it is not known."""
    return gpus[int(name)] if name.isdecimal() else next((gpu for gpu in gpus if gpu.uuid == name), None)
