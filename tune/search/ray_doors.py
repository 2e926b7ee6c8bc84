"""Ray Tune's searcher, scheduler and stopper, each a thin door to the director.

Ray pickles all three, for a file that we do not need: they pickle to nothing.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tune.errors import NoRoomError, UnsharedError
from tune.search.director import Director
from tune.search.machines.interrupts import retake_interrupts
from tune.search.machines.ray_watch import wait_for_loss
from tune.trial.counted_fits import read_counted_fits
from tune.trial.mail import Epoch
from tune.trial.process.link import EPOCHS, NO_ROOM, READY
from tune.trial.trainable import DIED, REFUSED, REST, TASK, UNSHARED

PAUSES = {NO_ROOM: NoRoomError, UNSHARED: UnsharedError}


class _Door:
    def __init__(self, director: Director) -> None:
        self._director = director

    def __getstate__(self) -> dict[str, Any]:
        return {}


class SearcherDoor(_Door, Searcher):
    """Hands out trials."""

    def __init__(self, director: Director, config: Mapping[str, Any]) -> None:
        """``config``: what each trial's has beside its task."""
        Searcher.__init__(self)
        _Door.__init__(self, director)
        self._config = dict(config)
        self._is_first = True

    def suggest(self, trial_id: str) -> Any:
        """Return a trial's config, None while there is no room, or FINISHED."""
        if self._is_first:
            self._is_first = False
            retake_interrupts()
        task = self._director.next_task(trial_id)
        if task is not None:
            return {TASK: task.encode(), **self._config}
        return Searcher.FINISHED if self._director.finished else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear that a trial ended; stopped and finished look alike here, the director knows.

        Where its actor died with Ray it goes on later, and no death is counted.
        """
        if error and wait_for_loss():
            return
        last = result or {}
        death = "" if error else last.get(DIED)
        rest = _epochs(last.get(REST, ()))
        self._director.ended(trial_id, death=death, rest=rest, is_refused=last.get(REFUSED, False))

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Keep the control: the director counts."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is the state."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Do nothing: the ledger is the state."""


class SchedulerDoor(_Door, FIFOScheduler):
    """Passes epochs on, and each decision back; Ray's searcher would not hear of a stopped trial's last epoch."""

    def __init__(self, director: Director) -> None:
        FIFOScheduler.__init__(self)
        _Door.__init__(self, director)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Leave it to Ray, which starts trials in their order.

        Ray's schedulers name the oldest trial whose actor still starts. Ray would then give it the actor that becomes
        free, and end the one that starts: with short trials again and again. And it would look through all trials
        twice at each step.
        """
        return None

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let Ray forget the trials that ended before this one."""
        _forget_others_that_ended(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Let Ray forget the others that ended: this one it may start again, when its node was preempted, say."""
        _forget_others_that_ended(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> Any:
        """Decide about a trial after one epoch, or after several that were told together."""
        for key, kind in PAUSES.items():
            if key in result:
                self._director.pause(trial.trial_id, kind(*result[key]))
                return _stop(trial)
        if READY in result:
            self._director.preflight_passed(read_counted_fits(result[READY][0]))
            return TrialScheduler.CONTINUE
        stops = self._director.report(trial.trial_id, _epochs(result[EPOCHS]))
        return _stop(trial) if stops else TrialScheduler.CONTINUE


def _epochs(told: Iterable[tuple[Any, ...]]) -> list[Epoch]:
    return [Epoch(*each) for each in told]


def _stop(trial: Trial) -> Any:
    """Stop a trial, and call its actor: Ray would do so only once it has another trial for the actor."""
    worker = trial.temporary_state.ray_actor
    if worker is not None:
        worker.end_politely.remote()
    return TrialScheduler.STOP


def _forget_others_that_ended(controller: Any, this: Trial) -> None:
    """Drop what Ray keeps of trials that are over, most of what one leaves in the driver: the ledger has them.

    At the end Ray would write all of them down, too. Its list is replaced, for it may be going through the old one.
    """
    with contextlib.suppress(AttributeError):  # another Ray
        over = {trial for trial in controller._trials if trial is not this and trial.is_finished()}  # noqa: SLF001
        controller._trials = [trial for trial in controller._trials if trial not in over]  # noqa: SLF001
        for name in ("_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache"):
            getattr(controller, name).difference_update(over)


class StopperDoor(_Door, Stopper):
    """Ends everything when the pre-flight failed, or found no room."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial: that is the scheduler's."""
        return False

    def stop_all(self) -> bool:
        """Tell whether every running trial is to end."""
        return self._director.aborted
