"""How many trials share a GPU: arithmetic on what was measured."""

import json
from dataclasses import replace

import pytest

from tune.cluster.auto_gpu_share import (
    count_trials_per_gpu,
    describe_sharing,
    give_whole_gpus,
    read_measured_memory,
    restore_share,
    share_gpus,
)
from tune.cluster.resources import Resources
from tune.errors import OptionError
from tune.experiment.gpu_records import (
    CONTEXT_BYTES,
    GpuMemoryReport,
    MemoryFootprint,
    read_context_bytes,
    read_gpu_memory,
)
from tune.experiment.records import TrialRecord
from tune.space.settings import Settings
from tune.trial.gpu.gpu_devices import allocator_fraction

GIB = 2**30


AUTO = Settings(gpus_per_trial="auto")


def weighed(*peaks, total=80.0, free=None, context=0.5, busy=None):
    """Return a GPU with these peaks in GiB, those of the hardcoded values first."""
    names = ("the hardcoded values", "BATCH_SIZE=512")
    return GpuMemoryReport(
        total_bytes=int(total * GIB),
        free_bytes=int((total if free is None else free) * GIB),
        context_bytes=int(context * GIB),
        utilization=busy,
        footprints=tuple(
            peak if isinstance(peak, MemoryFootprint) else MemoryFootprint(what=name, peak_bytes=int(peak * GIB))
            for name, peak in zip(names, peaks, strict=False)
        ),
    )


def machine(n_gpus=1, n_cores=64, cpus=1):
    gpus = tuple(map(str, range(n_gpus)))
    return Resources(
        n_cores=n_cores,
        gpus=gpus,
        cpus_per_trial=cpus,
        gpus_per_trial=1,
        concurrency=n_gpus,
        n_gpus_there=n_gpus,
        is_measured=True,
    )


OVERFLOW = MemoryFootprint(what="BATCH_SIZE=512", peak_bytes=79 * GIB, failure="OutOfMemoryError: ...", overflows=True)
BROKEN = MemoryFootprint(what="BATCH_SIZE=512", peak_bytes=60 * GIB, failure="ValueError: no batch")
FIT = [  # GiB on an 80 GiB GPU, unless it says otherwise; trials
    (weighed(1.0), 50),  # 80 / (1.1 * 1 + 0.5)
    (weighed(1.0, 9.0), 7),  # the heaviest counts: 80 / 10.4
    (weighed(9.0, 1.0), 7),  # whichever it is
    (weighed(72.0), 1),  # 79.7 of 80
    (weighed(78.0), 1),  # it came through, with less than the margin: it has the GPU for itself
    (weighed(1.0, 9.0, free=40.0), 3),  # somebody else is on it
    (weighed(3.0, total=15.8, context=0.6), 4),  # a T4
    (weighed(1.0, OVERFLOW), 1),
    (weighed(1.0, BROKEN), 50),
    (weighed(MemoryFootprint(what="", peak_bytes=GIB, failure="ValueError: broken"), 1.0), 1),
    (weighed(1.0, busy=0.9), 50),  # whoever says `auto` decides by memory
    (weighed(0.0, total=0.0), 1),  # NVML did not tell
]


@pytest.mark.parametrize(("found", "n"), FIT)
def test_as_many_trials_fit_as_have_room_for_the_heaviest_a_margin_and_cuda_itself(found, n):
    assert count_trials_per_gpu(found, AUTO) == n


UNSAID = [  # how busy one trial keeps the GPU; trials on it
    (0.0, 50),
    (0.06, 16),
    (0.34, 2),
    (0.51, 1),
    (0.97, 1),
    (None, 1),  # nobody can tell
]


@pytest.mark.parametrize(("busy", "n"), UNSAID)
def test_trials_that_nobody_said_are_to_share_a_gpu_do_so_as_far_as_one_leaves_it_idle(busy, n):
    assert count_trials_per_gpu(weighed(1.0, busy=busy), Settings()) == n


def test_trials_that_leave_a_gpu_idle_are_no_more_than_its_memory_has_room_for():
    assert count_trials_per_gpu(weighed(1.0, 9.0, busy=0.02), Settings()) == 7
    assert count_trials_per_gpu(weighed(1.0, OVERFLOW, busy=0.02), Settings()) == 1


def test_as_many_at_a_time_as_were_asked_for_share_a_gpu_that_one_keeps_busy():
    resources = share_gpus(weighed(1.0, 9.0, busy=0.9), machine(), Settings(concurrency=4))

    assert (resources.concurrency, resources.gpus_per_trial) == (4, 0.25)


SHARED = [  # GPUs, cores, cores of a trial, settings; trials at a time, the share of each
    (1, 64, 1, {"trials": 100}, 7, 0.1428),
    (1, 64, 1, {"trials": 3}, 3, 0.3333),
    (1, 4, 1, {"trials": 100}, 4, 0.25),
    (1, 4, 4, {"trials": 100}, 1, 1.0),
    (2, 64, 1, {"trials": 100}, 14, 0.1428),
    (2, 1, 1, {"trials": 100}, 2, 1.0),
    (2, 5, 1, {"trials": 100}, 5, 0.3333),
    (2, 64, 1, {"trials": 100, "concurrency": 4}, 4, 0.5),
    (1, 2, 1, {"trials": 100, "concurrency": 7}, 7, 0.1428),
]


@pytest.mark.parametrize(("n_gpus", "n_cores", "cpus", "asked", "at_a_time", "share"), SHARED)
def test_fewer_trials_or_cores_than_fit_make_the_share_larger(n_gpus, n_cores, cpus, asked, at_a_time, share):
    resources = share_gpus(weighed(1.0, 9.0), machine(n_gpus, n_cores, cpus), replace(AUTO, **asked))

    assert (resources.concurrency, resources.gpus_per_trial, resources.is_measured) == (at_a_time, share, False)
    assert -(-at_a_time // n_gpus) * share <= 1  # Ray gives no more than a GPU


def test_trials_that_leave_a_gpu_idle_are_fewer_at_a_time():
    resources = share_gpus(weighed(1.0, 9.0), machine(8), replace(AUTO, trials=20))

    assert (resources.concurrency, resources.gpus_per_trial) == (16, 0.5)


CORES = [({}, 32), ({"concurrency": 1}, 64), ({"cpus_per_trial": 1}, 1)]


@pytest.mark.parametrize(("asked", "cpus"), CORES)
def test_cores_that_no_trial_asked_for_are_divided_when_it_is_known_how_many_share_a_gpu(asked, cpus):
    assert share_gpus(weighed(1.0, 30.0), machine(), replace(AUTO, trials=100, **asked)).cpus_per_trial == cpus


TOLD = [
    (weighed(1.0, 9.0), "7 trials in the 80.0 of 80.0", "1.0 GiB, BATCH_SIZE=512 9.0 GiB"),
    (weighed(72.0, OVERFLOW), "1 trial in the 80.0 of 80.0", "72.0 GiB, BATCH_SIZE=512 more than there is"),
    (
        weighed(20.0, BROKEN, free=70.0),
        "3 trials in the 70.0 of 80.0",
        "20.0 GiB, BATCH_SIZE=512 failed (ValueError: no batch)",
    ),
]


@pytest.mark.parametrize(("found", "room", "taken"), TOLD)
def test_what_was_measured_is_told(found, room, taken):
    assert describe_sharing(found, AUTO) == (
        f"a GPU has room for {room} GiB that are free; "
        f"measured: the hardcoded values {taken}, CUDA itself 0.5 GiB in each"
    )


def test_more_at_a_time_than_fit_are_refused_with_what_was_measured():
    found = weighed(1.0, 9.0)
    with pytest.raises(OptionError) as refused:
        share_gpus(found, machine(), replace(AUTO, concurrency=8))

    assert str(refused.value) == (
        f"concurrency: 8 trials at a time do not fit: {describe_sharing(found, AUTO)}\n"
        "  Ask for 7, or make the space's largest sizes smaller."
    )


def test_what_could_not_be_measured_has_a_gpu_for_itself():
    whole = give_whole_gpus(replace(machine(2), concurrency=8), Settings(concurrency=8))

    assert (whole.gpus_per_trial, whole.concurrency, whole.is_measured) == (1.0, 2, False)


LEFT = [  # share, bytes of the GPU, bytes of CUDA itself; what torch may have of the GPU
    (0.5, 80 * GIB, CONTEXT_BYTES, 0.49375),
    (0.5, 80 * GIB, 4 * GIB, 0.45),
    (0.1, 4 * GIB, CONTEXT_BYTES, 0.05),
    (0.5, GIB, CONTEXT_BYTES, 0.25),
]


@pytest.mark.parametrize(("share", "total", "context", "left"), LEFT)
def test_what_cuda_itself_keeps_comes_out_of_a_share(share, total, context, left):
    assert allocator_fraction(share, total, context) == left


def test_eight_shares_with_what_cuda_itself_was_measured_to_keep_are_no_more_than_the_gpu():
    found = weighed(1.5, total=24, context=1.0)
    share = share_gpus(found, machine(), replace(AUTO, trials=1000)).gpus_per_trial

    assert share == 0.1111
    assert 9 * (allocator_fraction(share, 24 * GIB, found.context_bytes) * 24 * GIB + GIB) <= 24 * GIB


@pytest.mark.parametrize("peak", [0.2, 1.0, 3.0, 9.0, 30.0])
def test_what_a_trial_may_reserve_holds_what_was_measured(peak):
    found = weighed(peak)
    share = share_gpus(found, machine(), replace(AUTO, trials=1000)).gpus_per_trial

    assert allocator_fraction(share, found.total_bytes, found.context_bytes) * found.total_bytes >= 1.09 * peak * GIB


def test_how_busy_a_trial_keeps_the_gpu_is_told():
    assert describe_sharing(weighed(1.0, busy=0.06), Settings()).endswith(
        "a GPU has room for 16 trials in the 80.0 of 80.0 GiB that are free; measured: the hardcoded values 1.0 GiB, "
        "CUDA itself 0.5 GiB in each; one trial keeps it 6% busy"
    )


def test_what_was_measured_is_read_from_the_record_as_it_was_written():
    found = weighed(1.0, OVERFLOW, busy=0.5)

    assert read_gpu_memory(json.loads(json.dumps(found.as_json()))) == found
    assert read_context_bytes(weighed(1.0, context=0.75).as_json()) == int(0.75 * GIB)


@pytest.mark.parametrize("data", [{}, {"footprints": []}, {**weighed(1.0).as_json(), "free_bytes": "all"}])
def test_a_record_that_we_did_not_write_says_nothing(data):
    assert read_gpu_memory(data) is None
    assert read_context_bytes(data) == CONTEXT_BYTES


def test_a_search_that_goes_on_has_the_share_that_its_pre_flight_measured():
    baseline = record_of(gpu_memory=weighed(8.0, 15.0, busy=0.1).as_json())

    assert restore_share(machine(), Settings(trials=100), baseline).gpus_per_trial == 0.25
    assert restore_share(machine(), Settings(trials=100), record_of(gpu_memory={})).gpus_per_trial == 1.0


MIXED = [(None, 80), ((80 * GIB, 79 * GIB), 79), ((24 * GIB, 20 * GIB), 20), ((200 * GIB, 200 * GIB), 80)]


@pytest.mark.parametrize(("least", "gib"), MIXED)
def test_what_was_measured_on_one_gpu_has_to_fit_on_the_smallest(least, gib):
    baseline = record_of(gpu_memory=weighed(9.0, busy=0.01).as_json())
    resources = replace(machine(2), least_memory=least)
    found = read_measured_memory(baseline, resources)

    assert found.free_bytes == gib * GIB
    assert restore_share(resources, AUTO, baseline).gpus_per_trial == share_gpus(found, resources, AUTO).gpus_per_trial
    assert count_trials_per_gpu(found, AUTO) == int(gib / (1.1 * 9 + 0.5))


def record_of(**more):
    return TrialRecord(
        number=0,
        version="000",
        constants={},
        seed=0,
        stage="complete",
        pid=1,
        host="node",
        devices="0",
        started=0.0,
        **more,
    )
