"""GPUs that others have filled, before a search and while it runs: in whole searches, with GPUs that NVML makes up."""

import pytest

from tests.gpu_search import SPACE, search

WORDS = ("--gpus-per-trial", "1", "--cpus-per-trial", "0.25", "--no-report")
FILLS = """
import os
from pathlib import Path

folder = Path(os.environ["FAKE_NVML_TAKEN"]).parent
for number in FULL:
    (folder / f"used{number}").write_text("75")


class Greedy(Paced):
    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        used = folder / f"used{os.environ['CUDA_VISIBLE_DEVICES']}"
        if used.exists() and used.read_text() == "75":
            raise torch.OutOfMemoryError("CUDA out of memory.\\nTried to allocate 2.00 GiB.")


del Paced
"""


def make_gpus(*used):
    gpu = {"name": "NVIDIA A100", "gib": 80, "busy": 90}
    return [{**gpu, "uuid": f"GPU-{number}", "used": each} for number, each in enumerate(used)]


@pytest.mark.slow
def test_a_gpu_that_others_have_filled_is_left_out_which_is_told_once(tmp_path):
    ran, records = search(tmp_path, *WORDS, gpus=make_gpus(0.5, 75, 0.5), takes="")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [each["stage"] for each in records] == ["complete"] * 5
    assert {each["devices"] for each in records} == {"0", "2"}
    (at,) = [number for number, line in enumerate(ran.stdout.splitlines()) if "GPU 1" in line]
    first, second = ran.stdout.splitlines()[at - 1 : at + 1]
    assert first.endswith(", 3 GPUs (3 x NVIDIA A100 with 80 GiB), of which 0, 2 are used")
    assert second == "GPU 1: 75 of 80 GiB are taken by others"


def test_where_all_gpus_are_full_nothing_is_searched(tmp_path):
    ran, records = search(tmp_path, *WORDS, gpus=make_gpus(75, 76), takes="")

    assert (ran.returncode, ran.stdout, records) == (2, "", [])
    assert ran.stderr == (
        "--gpu: no GPU can be used: GPU 0: 75 of 80 GiB are taken by others; GPU 1: 76 of 80 GiB are taken by others\n"
        "  Wait, name one with `--gpu`, or write `trainer: {accelerator: cpu}`.\n"
    )


def search_while_others_fill(folder, full, n_trials):
    """Search on two GPUs; ``full``: what the program says of those that others fill while it is imported."""
    gpus = make_gpus(str(folder / "used0"), str(folder / "used1"))
    takes = f"import os\nfrom pathlib import Path\n\nFULL = {full}\n{FILLS}"
    space = SPACE.replace("  MAX_EPOCHS: {randint: [3, 6]}\n", "").replace("trials: 5", f"trials: {n_trials}")
    return search(folder, *WORDS, gpus=gpus, takes=takes, space=space)


@pytest.mark.slow
def test_trials_run_elsewhere_that_run_out_of_memory_on_a_gpu_that_others_fill_meanwhile(tmp_path):
    ran, records = search_while_others_fill(tmp_path, "(1,) if LR != 0.1 else ()", n_trials=12)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [each["stage"] for each in records] == ["complete"] * 12
    assert {each["devices"] for each in records[1:]} == {"0"}
    (line,) = [line for line in ran.stdout.splitlines() if "GPU 1" in line]
    what = " failed 2 trials in a row: it gets no more, and they run on others (OutOfMemoryError: "
    assert f"{what}CUDA out of memory. Tried to allocate 2.00 GiB. (paced.py:" in line


@pytest.mark.slow
def test_where_others_fill_all_gpus_meanwhile_the_search_gives_up(tmp_path):
    ran, records = search_while_others_fill(tmp_path, "(0, 1) if LR != 0.1 else ()", n_trials=40)

    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "5 trials in a row failed with one cause: OutOfMemoryError: CUDA out of memory." in ran.stderr
    assert "`resume` goes on" in ran.stderr
    assert [each["stage"] for each in records].count("complete") <= 1  # the baseline may have come through


@pytest.mark.slow
def test_a_gpu_that_others_fill_before_the_pre_flight_is_left_out_and_the_search_begins_again(tmp_path):
    folder = "Path(os.environ['FAKE_NVML_TAKEN']).parent"
    first = f"() if list({folder}.glob('used*')) else os.environ['CUDA_VISIBLE_DEVICES']"
    ran, records = search_while_others_fill(tmp_path, first, n_trials=3)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    (full,) = [file.name.removeprefix("used") for file in tmp_path.glob("used*")]
    assert [each["stage"] for each in records] == ["complete"] * 3
    assert {each["devices"] for each in records} == {"0", "1"} - {full}
    (line,) = [line for line in ran.stdout.splitlines() if f"GPU {full}" in line]
    assert " failed in the pre-flight: the search begins again without it (OutOfMemoryError: CUDA out of" in line
