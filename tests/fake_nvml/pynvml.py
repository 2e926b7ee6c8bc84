"""In the place of NVIDIA's module where its folder is on the path; the variable ``FAKE_NVML`` says what is there.

It is JSON: a list of GPUs with any of ``uuid`` and ``name``; or a text, why NVML does not start.
"""

import json
import os

NVML_ERROR_LIBRARY_NOT_FOUND = 12
NVML_ERROR_UNKNOWN = 999


class NVMLError(Exception):
    """As NVIDIA's own module has it, made of the text."""

    @property
    def value(self):
        return NVML_ERROR_LIBRARY_NOT_FOUND if "Library Not Found" in str(self) else NVML_ERROR_UNKNOWN


def _told():
    return json.loads(os.environ.get("FAKE_NVML", "[]"))


def nvmlInit():
    if isinstance(_told(), str):
        raise NVMLError(_told())


def nvmlShutdown():
    pass


def nvmlDeviceGetCount():
    return len(_told())


def nvmlDeviceGetHandleByIndex(index):
    return _told()[index]


def nvmlDeviceGetHandleByUUID(uuid):
    return next(each for each in _told() if each.get("uuid") == uuid)


def nvmlDeviceGetUUID(handle):
    if "uuid" not in handle:
        raise NVMLError("GPU is lost")
    return handle["uuid"]


def nvmlDeviceGetName(handle):
    return handle.get("name", "NVIDIA H200")
