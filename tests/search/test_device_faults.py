"""A GPU that fails is not a configuration that fails."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.experiment.records import Failure, TrialRecord
from tune.search.devices.device_faults import DeviceFaults, is_device_failure

ROOT = Path(__file__).parents[2]
FAULT = Failure(kind="RuntimeError", message="CUDA error: unspecified launch failure")
OWN = Failure(kind="RuntimeError", message="mat1 and mat2 shapes cannot be multiplied")


def record(number, device, failure=FAULT):
    return TrialRecord(
        number=number,
        version=f"{number:03d}",
        constants={},
        seed=0,
        stage="failed",
        pid=1,
        host="node",
        devices=device,
        started=0.0,
        failure=failure,
    )


OF_DEVICES = {
    "CUDA error: unspecified launch failure": True,
    "CUDA error: uncorrectable ECC error encountered": True,
    "CUDA error: all CUDA-capable devices are busy or unavailable": True,
    "HIP error: an illegal memory access was encountered": True,
    "No CUDA GPUs are available": True,
    "CUDA driver initialization failed, you might not have a CUDA gpu.": True,
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR": True,
    "CUDA error: out of memory": False,
    "CUDA out of memory. Tried to allocate 2.00 GiB.": False,
    "CUDA error: device-side assert triggered": False,
    "CUDA error: invalid device ordinal": False,
    "CUDA error: no kernel image is available for execution on the device": False,
    "mat1 and mat2 shapes cannot be multiplied": False,
}


@pytest.mark.parametrize(("message", "is_one"), OF_DEVICES.items())
def test_what_may_be_a_devices_failure(message, is_one):
    assert is_device_failure(Failure(kind="RuntimeError", message=message)) is is_one


def test_a_device_that_fails_twice_in_a_row_is_left_out_and_its_trials_run_again():
    heard = []
    devices = DeviceFaults(3, lambda *told: heard.append(told))

    assert devices.count_failure(1, record(1, "1"))
    assert devices.excluded_devices == ()
    assert devices.count_failure(2, record(2, "1"))
    assert devices.excluded_devices == ("node:1",)
    assert heard == [("node:1", "RuntimeError: CUDA error: unspecified launch failure")]


def test_a_success_between_two_failures_keeps_the_device():
    devices = DeviceFaults(2)
    devices.count_failure(1, record(1, "1"))
    devices.count_success(record(2, "1", None))
    devices.count_failure(3, record(3, "1"))

    assert devices.excluded_devices == ()


def test_a_trial_that_fails_on_a_second_device_fails_by_itself():
    devices = DeviceFaults(4)

    assert devices.count_failure(1, record(1, "1"))
    assert not devices.count_failure(1, record(1, "2"))
    assert not devices.count_failure(1, record(1, "3"))


@pytest.mark.parametrize(
    ("n_devices", "device", "failure"), [(1, "0", FAULT), (2, "0", OWN), (2, None, FAULT), (2, "", FAULT)]
)
def test_other_failures_are_the_configurations(n_devices, device, failure):
    assert not DeviceFaults(n_devices).count_failure(1, record(1, device, failure))


GIB = 2**30
OUT_OF_MEMORY = Failure(kind="OutOfMemoryError", message="CUDA out of memory. Tried to allocate 2.00 GiB.")
CROWDED = [  # the share of a trial, what others have of 80 GiB as it ends; whether its device failed it
    (1, 75, True),
    (1, 5, True),
    (1, 3, False),  # the driver's, and CUDA's own
    (2, 75, True),
    (0.5, 40, False),  # as much as the trial beside it may have
    (0.5, 45, True),
    (0.25, 60, False),
    (0.25, 75, True),
]


@pytest.mark.parametrize(("share", "taken", "is_failed_by_device"), CROWDED)
def test_a_trial_runs_again_that_runs_out_of_memory_where_others_have_what_was_its_own(
    share, taken, is_failed_by_device
):
    failed = replace(
        record(3, "0", OUT_OF_MEMORY),
        gpu_share=share,
        gpu={"total_bytes": 80 * GIB, "taken_bytes": int(taken * GIB)},
    )

    assert DeviceFaults(2).count_failure(3, failed) is is_failed_by_device


def test_of_a_gpu_that_nvml_does_not_tell_of_no_want_of_memory_is_its_own():
    assert not DeviceFaults(2).count_failure(3, record(3, "0", OUT_OF_MEMORY))


def test_a_failure_that_turns_out_to_be_the_trials_own_does_not_count_for_the_device():
    heard = []
    devices = DeviceFaults(2, lambda *told: heard.append(told))
    assert devices.count_failure(1, record(1, "1"))
    assert not devices.count_failure(1, record(1, "0"))
    assert devices.count_failure(2, record(2, "1"))

    assert heard == []
    assert devices.excluded_devices == ()


def test_the_last_device_is_never_left_out():
    devices = DeviceFaults(2)
    for number in range(4):
        devices.count_failure(number, record(number, "1"))
    for number in range(10, 14):
        assert not devices.count_failure(number, record(number, "0"))

    assert devices.excluded_devices == ("node:1",)


SPACE = """\
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
trials: 8
trainer: {max_epochs: 2}
scheduler: none
"""


def search(folder, breaks, *, trials, n_gpus=2):
    """Search on logical GPUs; return what was told, and the records."""
    program = write_program(folder / "project", "paced")
    program.write_text(program.read_text().replace("PACE_S = 0.2", "PACE_S = 0.05") + breaks)
    program.with_name("s.yaml").write_text(SPACE)
    words = ["--space", "s.yaml", "--storage", folder / "storage", "--trainer.accelerator", "cpu", "--no-report"]
    ran = subprocess.run(
        [
            sys.executable,
            ROOT / "run_search.py",
            *words,
            "--gpu",
            *map(str, range(n_gpus)),
            "--cpus-per-trial",
            "1",
            "--trials",
            trials,
        ],
        cwd=program.parent,
        env={**os.environ, "PROMOTUNE_LOGICAL_GPUS": str(n_gpus)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout, [json.loads(file.read_text()) for file in sorted(folder.glob("storage/s/*/trial.json"))]


def show_results(folder):
    words = [sys.executable, ROOT / "run_search.py", "results", "s", "--storage", folder / "storage"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


BREAKS = """
import os
from dataclasses import replace
from pathlib import Path


def breaks(file):
    with contextlib.suppress(FileExistsError), open(file, "x") as new:
        new.write(os.environ["CUDA_VISIBLE_DEVICES"])  # Ray gives a trial any of those that are free
    return os.environ["CUDA_VISIBLE_DEVICES"] == Path(file).read_text()


if breaks("dead") or (LR != 0.1 and breaks("weak")):  # that of the pre-flight; that of the first trial but the baseline
    raise RuntimeError("CUDA error: unspecified launch failure")
"""


def test_all_trials_complete_beside_a_gpu_that_fails_the_pre_flight_and_one_that_fails_trials(tmp_path):
    told, records = search(tmp_path, f"import contextlib\n{BREAKS}", trials="8", n_gpus=3)

    assert [each["stage"] for each in records] == ["complete"] * 8
    dead, weak = ((tmp_path / "project" / name).read_text() for name in ("dead", "weak"))
    assert dead != weak
    assert {each["devices"] for each in records[1:]} == {"0", "1", "2"} - {dead, weak}
    (line,) = [each for each in told.splitlines() if f"GPU {dead}" in each]
    assert " failed in the pre-flight: the search begins again without it (RuntimeError: CUDA error: " in line
    (line,) = [each for each in told.splitlines() if f"GPU {weak}" in each]
    assert " failed 2 trials in a row: it gets no more, and they run on others (RuntimeError: CUDA error: " in line
    results = show_results(tmp_path)
    assert f"hint: GPU {dead} of " in results
    assert f"hint: GPU {weak} of " in results
    assert " failed 1 trial, which ran again: check it, or leave it out with `--gpu`\n" in results


@pytest.mark.slow
def test_a_pre_flight_that_fails_on_a_second_gpu_fails_by_the_program(tmp_path):
    with pytest.raises(AssertionError, match=r"the baseline failed in the pre-flight: RuntimeError: CUDA error: uns"):
        search(tmp_path, 'raise RuntimeError("CUDA error: unspecified launch failure")\n', trials="3")
