"""The NVIDIA GPUs of this machine, as NVML lists them. CUDA is not asked: it needs torch, and would hinder a fork."""

import contextlib
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
NVML_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""Makes CUDA count GPUs as NVML and nvidia-smi do; by itself it takes the fastest first."""
OLD_SLICE = "MIG-GPU-"
"""So begins the name of a slice in drivers before 470; CUDA takes it still."""
NVIDIA, AMD = Path("/dev/nvidiactl"), Path("/dev/kfd")
"""Where the drivers are: a machine that has one of these has a GPU."""
UNCOUNTED = "{}'s is not counted: `--trainer.accelerator {} --concurrency 1` trains on it"
INDEX = re.compile(r"\+?([0-9]{1,9})")
"""CUDA reads the digits that an entry begins with, and no further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU of this machine."""

    uuid: str = ""
    """``GPU-5ebe...``; empty where it is not known."""
    name: str = ""
    """``NVIDIA H200``; empty where it is not known."""
    slices: tuple[str, ...] | None = None
    """The UUIDs of the MIG devices that it is divided into; None: it is whole."""
    total_bytes: int = 0
    """Of its memory; 0 where that is not known."""
    used_bytes: int = 0
    """Of its memory, by whatever runs on it now."""
    n_processes: int = 0
    """That run on it now, as far as NVML tells."""
    is_exclusive: bool = False
    """Whether its compute mode lets one process at a time use it."""
    fault: str | None = None
    """Why no process can use it: what NVML says of a GPU that it cannot reach, or its compute mode."""


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


def read_driver_version() -> str:
    """Return the version of NVIDIA's driver; empty where NVML does not tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError, AttributeError):
        pynvml.nvmlInit()
        try:
            return str(pynvml.nvmlSystemGetDriverVersion())
        finally:
            pynvml.nvmlShutdown()
    return ""


def explain_no_gpu() -> str | None:
    """Return why NVML does not list the GPUs; None where it would, and where nothing says that there are any.

    Most machines without a GPU lack NVML's library: that is a reason only where there is a driver.
    """
    import pynvml

    if (sys.platform, platform.machine()) == ("darwin", "arm64"):
        return UNCOUNTED.format("Apple", "mps")
    try:
        pynvml.nvmlInit()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_LIBRARY_NOT_FOUND or NVIDIA.exists():
            return f"NVML: {error}"
        return UNCOUNTED.format("AMD", "gpu") if AMD.exists() else None
    return None


def _describe_gpu(index: int) -> Gpu:
    import pynvml

    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        handles = slice_handles(handle)
        slices = None if handles is None else tuple(str(pynvml.nvmlDeviceGetUUID(each)) for each in handles)
        uuid, name = (str(ask(handle)) for ask in (pynvml.nvmlDeviceGetUUID, pynvml.nvmlDeviceGetName))
    except pynvml.NVMLError as error:  # one that is lost is counted all the same
        return Gpu(fault=str(error))
    total, free = 0, 0
    with contextlib.suppress(pynvml.NVMLError):  # not every device tells
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        total, free = int(memory.total), int(memory.free)
    n_processes = 0
    with contextlib.suppress(Exception):  # with a driver that is older than pynvml an error of another kind
        n_processes = len(pynvml.nvmlDeviceGetComputeRunningProcesses(handle))
    is_exclusive, fault = _read_compute_mode(handle)
    return Gpu(
        uuid=uuid,
        name=name,
        slices=slices,
        total_bytes=total,
        used_bytes=total - free,
        n_processes=n_processes,
        is_exclusive=is_exclusive,
        fault=fault,
    )


def _read_compute_mode(handle: Any) -> tuple[bool, str | None]:
    """Return whether one process at a time may use a GPU, and why none may; an older NVML does not tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError, AttributeError):
        mode = pynvml.nvmlDeviceGetComputeMode(handle)
        fault = "its compute mode is Prohibited" if mode == pynvml.NVML_COMPUTEMODE_PROHIBITED else None
        return mode == pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS, fault
    return False, None


def slice_handles(handle: Any) -> list[Any] | None:
    """Return NVML's handles of the slices of a GPU; None where MIG is off, or the GPU has none. NVML is started."""
    import pynvml

    try:
        if pynvml.nvmlDeviceGetMigMode(handle)[0] == 0:
            return None
        n_places = int(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    except (pynvml.NVMLError, AttributeError):  # AttributeError: a module from before MIG
        return None
    found = []
    for place in range(n_places):
        with contextlib.suppress(pynvml.NVMLError):  # a place that is free
            found.append(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place))
    return found


def list_names(gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """Return a name for each GPU, and for each slice of one, as CUDA_VISIBLE_DEVICES takes it.

    Among slices a whole GPU is named by its UUID: CUDA counts otherwise there than NVML does.
    """
    return tuple(name for index in range(len(gpus)) for name in _list_parts(str(index), gpus))


def select_visible(visible: str, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """Return the GPUs that a value of CUDA_VISIBLE_DEVICES names, by index or whole UUID; of a sliced one all slices.

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
    return tuple(part for name in found for part in _list_parts(name, gpus))


def _list_parts(name: str, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """Return the slices of a GPU that is divided; a slice as it is, and among slices a whole GPU by its UUID."""
    gpu = find_gpu(name, gpus)
    if gpu is None or name in (gpu.slices or ()):
        return (name,)
    if gpu.slices is not None:
        return gpu.slices
    if all(each.slices is None for each in gpus):
        return (name,)
    return (gpu.uuid,) if gpu.uuid else ()


def _match_index(entry: str, n_gpus: int) -> str | None:
    match = INDEX.match(entry)
    return str(int(match[1])) if match is not None and int(match[1]) < n_gpus else None


def _match_uuid(entry: str, prefix: str, gpus: Sequence[Gpu]) -> str | None:
    """Return the one UUID that begins so; the entry as it is where it may be one that is not known."""
    if not gpus or not entry.startswith(prefix):
        return None
    uuids = [uuid for gpu in gpus for uuid in (gpu.uuid, *(gpu.slices or ()))]
    matches = [uuid for uuid in uuids if uuid.startswith(entry)]
    if not matches and (not all(uuids) or entry.startswith(OLD_SLICE)):
        return entry
    return matches[0] if len(matches) == 1 else None


def find_gpu(name: str, gpus: Sequence[Gpu]) -> Gpu | None:
    """Return the GPU that ``select_visible`` calls so, or that has the slice; None where it is not known."""
    if name.isdecimal():
        return gpus[int(name)]
    return next((gpu for gpu in gpus if gpu.uuid == name or name in (gpu.slices or ())), None)
