"""What running trials have of the devices, and which of those that failed by a device run again."""

from collections.abc import Mapping
from typing import Any

from tune.experiment.records import TrialRecord
from tune.experiment.trial_result import DEVICE_FAULTS
from tune.search.devices.device_faults import DeviceFaults, name_device_of
from tune.search.devices.outgrown_shares import GpuShares


class TrialDevices:
    """Those of one search."""

    def __init__(self, faults: DeviceFaults | None = None, shares: GpuShares | None = None) -> None:
        """Without arguments no trial runs again."""
        self.faults = faults or DeviceFaults(0)
        self.shares = shares or GpuShares(0)
        self._more_places: dict[int, int] = {}  # by trial

    @property
    def n_more_places(self) -> int:
        """How many places running trials have beside one each, for a larger share of a GPU."""
        return sum(self._more_places.values())

    def occupy_places(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Hear of a trial that starts, and of its attributes."""
        self._more_places[number] = self.shares.count_places(attributes) - 1

    def free_places(self, number: int) -> None:
        """Hear of a trial that runs no more."""
        self._more_places.pop(number, None)

    def grant_retry(
        self, number: int, record: TrialRecord | None, attributes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Hear of a trial that failed; return the attributes with which it runs again.

        None where neither its device nor the size of its share of one is why it failed.
        """
        if record is not None and self.faults.count_failure(number, record):
            return {DEVICE_FAULTS: [*attributes.get(DEVICE_FAULTS, []), name_device_of(record)]}
        return self.shares.enlarge_share(number, record, attributes)
