"""GPUs that fail: which failures are a device's and not a configuration's, and which devices are left out.

A trial that fails by its device runs again, and that counts for nothing. Two such failures of a device, with no success
between them, leave it out. A trial that fails in the same way on a second device fails by itself.

A device that others have filled meanwhile fails trials, too: for want of memory.
"""

import re
from collections import Counter
from collections.abc import Callable

from tune.experiment.records import Failure, TrialRecord, device_name
from tune.search.devices.outgrown_shares import is_crowded_out

MOST_FAULTS = 2
"""Failures after which a device is left out."""
OF_A_DEVICE = re.compile(
    r"(CUDA|HIP) error: (?!out of memory|device-side assert|invalid (device ordinal|argument|configuration)|no kernel)"
    r"|(CUDA|HIP) driver initialization failed|(CUDA|HIP) unknown error|No (CUDA|HIP) GPUs are available"
    r"|busy or unavailable|uncorrectable ECC|GPU is lost|fallen off the bus"
    r"|(CUDNN|CUBLAS)_STATUS_(NOT_INITIALIZED|INTERNAL_ERROR|EXECUTION_FAILED)"
)
"""What torch and NVIDIA's libraries say where a device fails; a program's own mistakes may read so, too."""


def is_device_failure(failure: Failure) -> bool:
    """Tell whether a failure may be the device's."""
    return not failure.ours and OF_A_DEVICE.search(failure.message) is not None


class DeviceFaults:
    """Counts the failures of devices."""

    def __init__(self, n_devices: int, on_left_out: Callable[[str, str], None] = lambda device, why: None) -> None:
        """``n_devices``: GPUs that trials run on. ``on_left_out``: hears of a device, and of its last failure."""
        self._n_devices = n_devices
        self._on_left_out = on_left_out
        self._faults: Counter[str] = Counter()
        self._failed_on: dict[int, set[str]] = {}  # by trial
        self._left_out: list[str] = []

    @property
    def excluded_devices(self) -> tuple[str, ...]:
        """The devices that get no trial any more: ``host:device``."""
        return tuple(self._left_out)

    def count_success(self, record: TrialRecord | None) -> None:
        """Hear of a trial that did not fail."""
        if record is not None:
            self._faults.pop(name_device_of(record), None)

    def count_failure(self, number: int, record: TrialRecord | None) -> bool:
        """Hear of a trial that failed; tell whether its device did, and the trial is to run again on another one."""
        if record is None or record.failure is None or not record.devices:
            return False
        if not (is_device_failure(record.failure) or is_crowded_out(record)):
            return False
        device = name_device_of(record)
        failed_on = self._failed_on.setdefault(number, set())
        if failed_on - {device}:
            for other in failed_on - {device}:  # it was no failure of theirs
                self._faults[other] = max(0, self._faults[other] - 1)
            return False
        if self._n_devices - len(self._left_out) < 2:  # there is no other one
            return False
        failed_on.add(device)
        self._faults[device] += 1
        if self._faults[device] >= MOST_FAULTS and device not in self._left_out:
            self._left_out.append(device)
            self._on_left_out(device, record.failure.reason)
        return True


def name_device_of(record: TrialRecord) -> str:
    """Return how the device that a trial ran on is called."""
    return device_name(record.host, record.devices)
