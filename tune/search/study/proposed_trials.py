"""The trials of a study that somebody proposed."""

import optuna

from tune.experiment.proposal_note import PROPOSED, read_proposal
from tune.experiment.trial_result import LEFT_OUT


class ProposedTrials:
    """Those of one study."""

    def __init__(self, study: optuna.Study) -> None:
        self.n_trials = 0
        """All of them: the sampler draws as many trials as were asked for, beside these."""
        self.waiting: set[int] = set()
        """The numbers of those that have not begun: they have no version yet."""
        self.configs: dict[str, int] = {}
        """The configurations of those that have not begun, as texts."""
        self._by_request: dict[str, int] = {}
        for trial in study.get_trials(deepcopy=False):
            note = read_proposal(trial.user_attrs.get(PROPOSED))
            if note is None or LEFT_OUT in trial.user_attrs:
                continue
            self.n_trials += 1
            self._by_request[note.request] = trial.number
            if not trial.state.is_finished() and "version" not in trial.user_attrs:
                self.waiting.add(trial.number)

    def add_trial(self, number: int, request: str, config: str) -> None:
        """Take a new one."""
        self.n_trials += 1
        self.waiting.add(number)
        self.configs.setdefault(config, number)
        self._by_request[request] = number

    def find_request(self, request: str) -> int | None:
        """Return the trial of a request; None where it is none of an earlier driver's, or of this one."""
        return self._by_request.get(request)

    def find_waiting(self, config: str) -> int | None:
        """Return the trial that has not begun with a configuration; None where there is none."""
        number = self.configs.get(config)
        return number if number in self.waiting else None
