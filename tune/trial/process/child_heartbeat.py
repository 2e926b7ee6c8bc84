"""The heartbeat of a forked child that trains: its parent sees that batches end, and ends a child that hangs.

The actor watches the parent for as long as that trains; of the child it sees nothing.
"""

import mmap
import os
import signal
import time

from tune.trial.process.channel import BATCH
from tune.trial.process.child_processes import ForkedChild
from tune.trial.process.watched import STACKS_S, STOPPED_S, TICK_S, HangClock


class ChildHeartbeat:
    """Shared with the children that are forked after it was made."""

    def __init__(self) -> None:
        self._beats = mmap.mmap(-1, 1)  # each batch changes it

    def count_batch(self) -> None:
        """Tell the parent that a batch ended."""
        self._beats[0] = (self._beats[0] + 1) % 256

    def wait_for(self, child: ForkedChild, hang_after_s: float | None) -> str | None:
        """Wait for the end of a child; one that hangs is ended, and what did not come for how long is returned."""
        clock = HangClock(hang_after_s)
        clock.resume()
        beats, looked_at = self._beats[0], time.monotonic()
        while not child.poll(TICK_S):
            since_s = time.monotonic() - looked_at
            looked_at += since_s
            if since_s >= STOPPED_S:
                clock.exclude_time(since_s)
            if self._beats[0] != beats:
                beats = self._beats[0]
                clock.record_message(BATCH, ())
            if (hang := clock.describe_hang()) is not None:
                for number in (signal.SIGABRT, signal.SIGCONT):  # faulthandler writes the stacks
                    os.kill(child.pid, number)
                child.poll(STACKS_S)
                child.kill()
                return hang
        return None
