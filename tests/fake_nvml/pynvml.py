"""In the place of NVIDIA's module where its folder is on the path; the variable ``FAKE_NVML`` says what is there.

It is JSON: a list of GPUs with any of ``uuid``, ``name``, ``gib``, ``used`` (in GiB, or the file that holds it),
``processes`` (``"unknown"``: the driver is older than the module), ``busy`` (in hundredths), ``mode`` (as NVML numbers
the compute modes), and ``slices``, GPUs again, which it has where MIG is on; or a text, why NVML does not start. What
the programs of a test take of each GPU, in GiB, is in the file that ``FAKE_NVML_TAKEN`` names. ``FAKE_DRIVER`` is the
driver's version.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace

NVML_ERROR_LIBRARY_NOT_FOUND = 12
NVML_ERROR_UNKNOWN = 999
NVML_COMPUTEMODE_PROHIBITED = 2
NVML_COMPUTEMODE_EXCLUSIVE_PROCESS = 3


class NVMLError(Exception):
    """As NVIDIA's own module has it, made of the text."""

    @property
    def value(self):
        return NVML_ERROR_LIBRARY_NOT_FOUND if "Library Not Found" in str(self) else NVML_ERROR_UNKNOWN


class NVMLLibraryMismatchError(Exception):
    """As NVIDIA's own module has it: no NVMLError."""


def _told():
    return json.loads(os.environ.get("FAKE_NVML", "[]"))


def nvmlInit():
    if isinstance(_told(), str):
        raise NVMLError(_told())


def nvmlShutdown():
    pass


def nvmlSystemGetDriverVersion():
    return os.environ.get("FAKE_DRIVER", "570.86.10")


def nvmlDeviceGetCount():
    return len(_told())


def nvmlDeviceGetHandleByIndex(index):
    return _told()[index]


def nvmlDeviceGetHandleByUUID(uuid):
    all_there = [each for gpu in _told() for each in (gpu, *(gpu.get("slices") or []))]
    return next(each for each in all_there if each.get("uuid") == uuid)


def nvmlDeviceGetMigMode(handle):
    if "slices" not in handle:
        raise NVMLError("Not Supported")
    return [int(handle["slices"] is not None), 1]


def nvmlDeviceGetMaxMigDeviceCount(handle):
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(handle, index):
    if index >= len(handle["slices"]) or not handle["slices"][index]:
        raise NVMLError("Not Found")
    return handle["slices"][index]


def nvmlDeviceGetMemoryInfo(handle):
    if "gib" not in handle:
        raise NVMLError("Not Supported")
    used = _number(handle.get("used", 0)) + _number(os.environ.get("FAKE_NVML_TAKEN", "nothing"))
    return SimpleNamespace(total=handle["gib"] * 2**30, free=int((handle["gib"] - used) * 2**30))


def _number(told):
    if not isinstance(told, str):
        return told
    file = Path(told)
    return float(file.read_text() or 0) if file.is_file() else 0


def nvmlDeviceGetComputeRunningProcesses(handle):
    if handle.get("processes") == "unknown":
        raise NVMLLibraryMismatchError("Unversioned function called")
    return [SimpleNamespace(pid=number) for number in range(handle.get("processes", 0))]


def nvmlDeviceGetComputeMode(handle):
    return handle.get("mode", 0)


def nvmlDeviceGetUtilizationRates(handle):
    if "busy" not in handle:
        raise NVMLError("Not Supported")
    return SimpleNamespace(gpu=handle["busy"], memory=0)


def nvmlDeviceGetUUID(handle):
    if "uuid" not in handle:
        raise NVMLError("GPU is lost")
    return handle["uuid"]


def nvmlDeviceGetName(handle):
    return handle.get("name", "NVIDIA H200")
