"""A search in this process, on the one Ray of the test session."""

from dataclasses import dataclass, replace

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tune.cluster.resources import plan_resources
from tune.errors import PromotuneError
from tune.experiment.records import read_record
from tune.paths import ExperimentPaths, claim_experiment
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.controller_api import SearchListener
from tune.space.space_file import read_space


class TrialEnds(SearchListener):
    """Calls a function with each trial that ended."""

    def __init__(self, function):
        self.on_trial_end = function


@dataclass
class Searched:
    """What a search left behind."""

    paths: ExperimentPaths
    finished: object = None  # None: it raised
    error: Exception | None = None

    @property
    def study(self):
        """The journal, opened as another process would."""
        storage = JournalStorage(JournalFileBackend(str(self.paths.journal)))
        return optuna.load_study(study_name=self.paths.name, storage=storage)

    def version(self, trial):
        return self.paths.version(trial.user_attrs["version"])

    def record(self, trial):
        return read_record(self.version(trial))


@pytest.fixture(scope="session")
def search(ray):
    """Return what searches a program with a space of the given text."""
    from tune.search.run import run_search
    from tune.search.spec import Search

    def run(program, text, *, shape="system", on_end=lambda outcome: None, rehearsal=False, session=None):
        file = program.with_name("space.yaml")
        file.write_text(f"{shape}: {program.name}\n{text}")
        space = read_space(file)
        found = find_program(space.program)
        searched = Searched(claim_experiment(program.parent.parent / "storage", "exp", numbered=True))
        search = Search(
            space=space,
            program=found,
            promoted=resolve_constants(space, found),
            resources=plan_resources(space.settings, None),
            paths=searched.paths,
            listeners=(TrialEnds(on_end),),
            rehearsal=rehearsal,
            session=session,
        )
        try:
            searched.finished = run_search(search)
        except PromotuneError as error:
            searched.error = error
        return searched

    return run


@pytest.fixture(scope="session")
def resume(ray):
    """Return what goes on with an experiment."""
    from tune.experiment.open import open_experiment
    from tune.search.run import resume_search
    from tune.search.spec import Search
    from tune.search.study.journal import repair_journal

    def run(paths, *, trials=None, on_end=lambda outcome: None):
        searched = Searched(paths)
        try:
            searched.lost = repair_journal(paths.journal)
            experiment = open_experiment(str(paths.folder), paths.folder.parent)
            settings = replace(experiment.space.settings, time_budget_s=None)
            space = replace(experiment.space, settings=replace(settings, trials=trials or settings.trials))
            program = experiment.snapshot.stored_program
            search = Search(
                space=space,
                program=program,
                promoted=resolve_constants(space, program),
                resources=plan_resources(space.settings, None),
                paths=paths,
                listeners=(TrialEnds(on_end),),
            )
            searched.finished = resume_search(search, experiment.snapshot)
        except PromotuneError as error:
            searched.error = error
        return searched

    return run
