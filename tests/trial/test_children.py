"""Child processes: forked ones have the trial's values, and the others are refused before they lie."""

import multiprocessing

import pytest

from tests.events import scalars

DATASET = """
import multiprocessing as mp

class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.full((2,), float(HIDDEN)), torch.tensor(1.0)
"""


def program(programs, arguments, before=""):
    text = programs("scripted").read_text()
    text = text.replace(
        'self.log("Loss/Train", loss)', 'self.log("Loss/Train", loss); self.log("Seen", batch[0].mean())'
    )
    return (
        text.partition("def dataloaders")[0]
        + DATASET
        + f"\ndef dataloaders():\n    {before}\n    dl = partial(DataLoader, batch_size=4, num_workers=1, {arguments})"
        + "\n    return dl(Numbers()), dl(Numbers())\n"
    )


@pytest.mark.parametrize("arguments", ["", "multiprocessing_context='fork'", "persistent_workers=True"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_worker_of_a_dataloader_has_the_trials_values(worker, programs, arguments):
    start = worker("scripted", program(programs, arguments), max_epochs=1)

    for value in (16, 4):
        trial = start.run(HIDDEN=value)

        assert trial.record.failure is None
        assert scalars(trial.files.folder)["Seen"][0][1] == value


STARTS = {
    "spawned workers": ("multiprocessing_context='spawn'", "pass"),
    "workers of a fork server": ("multiprocessing_context=mp.get_context('forkserver')", "pass"),
    "the start method of all": ("", "mp.set_start_method('spawn', force=True)"),
    "torch.multiprocessing.spawn": ("", "torch.multiprocessing.spawn(print)"),
    "a process of its own": ("", "mp.get_context('spawn').Process(target=print).start()"),
}


@pytest.mark.filterwarnings("ignore:Consider setting `persistent_workers:UserWarning")  # Lightning, of spawned workers
@pytest.mark.parametrize(("arguments", "before"), STARTS.values(), ids=STARTS)
def test_a_child_that_would_import_the_source_on_disk_is_refused(worker, programs, arguments, before):
    text = program(programs, arguments, before)
    trial = worker("scripted", text, max_epochs=1).run(preflight=True)

    line = next(number for number, line in enumerate(text.splitlines(), 1) if "spawn" in line or "forkserver" in line)
    assert trial.failure.kind == "ProgramError", trial.failure
    assert trial.failure.message.startswith(f"scripted.py:{line}: a child process (")
    assert trial.failure.message.endswith("is started afresh, and would import the program with its hardcoded values")
    assert trial.failure.hint == "Use the start method `fork`, or num_workers=0."
    assert "Exception ignored" not in trial.log


EXECS = (
    "os.execv(sys.executable, [sys.executable, *sys.argv])",
    "os.execve(sys.executable, [sys.executable, *sys.argv], os.environ)",
    "os.execvp('python', ['python', *sys.argv])",
    "os.execl(sys.executable, sys.executable, *sys.argv)",
)


@pytest.mark.parametrize("call", EXECS)
def test_a_program_that_would_start_itself_anew_in_its_process_is_refused(worker, programs, call):
    text = f"import os\nimport sys\n{programs('scripted').read_text()}\n{call}\n"
    trial = worker("scripted", text, max_epochs=1).run(preflight=True)

    failure = trial.failure
    line = len(text.splitlines())
    assert failure.kind == "ProgramError"
    assert failure.message == (
        f"scripted.py:{line}: the program replaces its process, and would train with its hardcoded values"
    )
    assert failure.hint == (
        "Start the search with what that line sets as an environment variable, so that the line is not reached."
    )


def test_a_child_that_the_program_forks_may_become_another_program(worker, programs):
    deed = "if os.fork() == 0:\n    os.execvp('true', ['true'])\nassert os.wait()[1] == 0\n"
    text = f"import os\n{programs('scripted').read_text()}\n{deed}"

    assert worker("scripted", text, max_epochs=1).run(preflight=True).failure is None


def test_the_start_method_is_that_of_one_trial(worker, programs):
    before = multiprocessing.get_start_method(allow_none=True)
    worker("scripted", program(programs, "", "mp.set_start_method('spawn', force=True)"), max_epochs=1).run()

    assert multiprocessing.get_start_method(allow_none=True) == before
