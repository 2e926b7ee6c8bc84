"""A trial that runs out of memory on its share of a GPU is tried once on a larger one."""

import pytest

from tests.gpu_search import SPACE, TAKES, search
from tune.experiment.records import Failure, TrialRecord
from tune.search.devices.outgrown_shares import GpuShares, is_gpu_out_of_memory

OUT = Failure(kind="OutOfMemoryError", message="CUDA out of memory. Tried to allocate 2.00 GiB.")


def record(failure=OUT):
    return TrialRecord(
        number=3,
        version="003",
        constants={},
        seed=0,
        stage="failed",
        pid=1,
        host="node",
        devices="0",
        started=0.0,
        failure=failure,
    )


OF_THE_GPU = [
    (OUT, True),
    (Failure(kind="RuntimeError", message="CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True),
    (Failure(kind="MemoryError", message=""), False),
    (Failure(kind="ValueError", message="broken"), False),
    (Failure(kind="the worker died", message="the system was out of memory, and ended it", ours=True), False),
]


@pytest.mark.parametrize(("failure", "is_one"), OF_THE_GPU)
def test_what_is_a_want_of_the_gpus_memory(failure, is_one):
    assert is_gpu_out_of_memory(failure) is is_one


@pytest.mark.parametrize(("share", "larger", "places"), [(0.25, 0.5, 2), (0.6, 1.0, 2), (0.1, 0.2, 2)])
def test_a_trial_that_outgrows_its_share_has_a_larger_one_once(share, larger, places):
    heard = []
    shares = GpuShares(share, lambda *told: heard.append(told))
    attributes = shares.enlarge_share(3, record(), {})

    assert heard == [(3, share, larger)]
    assert shares.share_of(attributes) == larger
    assert shares.count_places(attributes) == places
    assert shares.enlarge_share(3, record(), attributes) is None


@pytest.mark.parametrize("share", [0, 1, 2])
def test_a_trial_with_no_share_or_a_whole_gpu_has_no_larger_one(share):
    assert GpuShares(share).enlarge_share(3, record(), {}) is None
    assert GpuShares(share).share_of({"outgrown_shares": [0.5]}) is None


def test_others_have_the_share_of_all():
    assert GpuShares(0.25).share_of({}) is None
    assert GpuShares(0.25).count_places({}) == 1
    assert GpuShares(0.25).enlarge_share(3, record(None), {}) is None


def test_a_search_that_goes_on_with_larger_shares_makes_none_smaller():
    assert GpuShares(0.8).share_of({"outgrown_shares": [0.25]}) == 0.8
    assert GpuShares(0.25).share_of({"outgrown_shares": [0.25]}) == 0.5


BREAKS = """
class Greedy(Paced):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        asked = Path(os.environ["FAKE_NVML_TAKEN"]).parent / "asked" / f"{LR}"
        if LR != 0.1 and self.current_epoch == 1 and (MAX_EPOCHS == 6 or not asked.exists()):
            asked.parent.mkdir(exist_ok=True)
            asked.touch()
            raise torch.OutOfMemoryError("CUDA out of memory.")


del Paced
"""


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_runs_again_on_a_larger_share_which_is_said(tmp_path):
    space = SPACE.replace("MAX_EPOCHS: {randint: [3, 6]}", "MAX_EPOCHS: {choice: [4, 6]}").replace("5", "4")
    words = ["--gpus-per-trial", "0.25", "--cpus-per-trial", "0.25", "--no-report", "--give-up-after", "9"]
    ran, records = search(tmp_path, *words, space=space, takes=TAKES + BREAKS)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count(" ran out of memory on 0.25 of a GPU: it runs again on 0.5\n") == 3
    assert [each["gpu_share"] for each in records] == [0.25, 0.5, 0.5, 0.5]
    assert [each.get("outgrown_shares", []) for each in records] == [[], [0.25], [0.25], [0.25]]
    fates = {each["constants"]["MAX_EPOCHS"]: each["stage"] for each in records[1:]}
    assert fates == {4: "complete", 6: "failed"}
    assert "hint: 3 trials ran out of memory on 0.25 of a GPU and ran again on a larger share; " in ran.stdout
    assert max(each["attempt"] for each in records) == 2
    errors = sorted(file.parent.name for file in (tmp_path / "storage" / "s").glob("*/error.txt"))
    assert errors == [each["version"] for each in records if each["stage"] == "failed"]
