"""The scheduler of `pytest -n 2 --dist loadfile`, which goes on where a worker of pytest has died.

That of pytest-xdist 3.8 then waits for ever: its issues 1323, 1327 and 1378. A later version mends them: delete this
file with it.
"""

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class RestartingFileScheduling(LoadFileScheduling):
    """Hands out the tests file by file; a worker that replaces a dead one gets what is left of its files."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Put the open tests of a worker that has ended back, but for the one that it died in, and return that."""
        workload = self.assigned_work[node]
        for file, tests in list(workload.items()):
            if all(tests.values()):
                del workload[file]
        died_in = next((test for tests in workload.values() for test, done in tests.items() if not done), None)
        if died_in is not None:
            file = self._split_scope(died_in)
            workload[file][died_in] = True
            if all(workload[file].values()):
                del workload[file]
        super().remove_node(node)
        return died_in

    def _reschedule(self, node: WorkerController) -> None:
        """Hand out more; a worker begins a test when it knows the next one, or that there is none."""
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)
