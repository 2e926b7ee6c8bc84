"""How many trials share a GPU: arithmetic on what was measured."""

import pytest

from tune.cluster import gpu_sharing as auto_share
from tune.cluster.gpu_sharing import count_trials_per_gpu, describe_sharing, give_whole_gpus, share_gpus
from tune.cluster.resources import Resources
from tune.errors import OptionError
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.prepare import build_job
from tune.search.run import _measure_share
from tune.search.spec import Search
from tune.space.dimensions import Choice
from tune.space.settings import Settings
from tune.space.space import Space, System
from tune.trial.messages import CONTEXT_BYTES, GpuMemoryReport, MemoryFootprint
from tune.trial.process.gpu_devices import allocator_fraction

GIB = 2**30


def weighed(*peaks, total=80.0, free=None, context=0.5):
    """Return a GPU with these peaks in GiB, those of the hardcoded values first."""
    names = ("the hardcoded values", "BATCH_SIZE=512")
    return GpuMemoryReport(
        total_bytes=int(total * GIB),
        free_bytes=int((total if free is None else free) * GIB),
        context_bytes=int(context * GIB),
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
]


@pytest.mark.parametrize(("found", "n"), FIT)
def test_as_many_trials_fit_as_have_room_for_the_heaviest_a_margin_and_cuda_itself(found, n):
    assert count_trials_per_gpu(found) == n


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
    resources = share_gpus(weighed(1.0, 9.0), machine(n_gpus, n_cores, cpus), Settings(**asked))

    assert (resources.concurrency, resources.gpus_per_trial, resources.is_measured) == (at_a_time, share, False)
    assert -(-at_a_time // n_gpus) * share <= 1  # Ray gives no more than a GPU


def test_trials_that_leave_a_gpu_idle_are_fewer_at_a_time():
    resources = share_gpus(weighed(1.0, 9.0), machine(8), Settings(trials=20))

    assert (resources.concurrency, resources.gpus_per_trial) == (16, 0.5)


CORES = [({}, 32), ({"concurrency": 1}, 64), ({"cpus_per_trial": 1}, 1)]


@pytest.mark.parametrize(("asked", "cpus"), CORES)
def test_cores_that_no_trial_asked_for_are_divided_when_it_is_known_how_many_share_a_gpu(asked, cpus):
    assert share_gpus(weighed(1.0, 30.0), machine(), Settings(trials=100, **asked)).cpus_per_trial == cpus


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
    assert describe_sharing(found, count_trials_per_gpu(found)) == (
        f"a GPU has room for {room} GiB that are free; "
        f"measured: the hardcoded values {taken}, CUDA itself 0.5 GiB in each"
    )


def test_more_at_a_time_than_fit_are_refused_with_what_was_measured():
    found = weighed(1.0, 9.0)
    with pytest.raises(OptionError) as refused:
        share_gpus(found, machine(), Settings(concurrency=8))

    assert str(refused.value) == (
        f"concurrency: 8 trials at a time do not fit: {describe_sharing(found, 7)}\n"
        "  Ask for 7, or make the space's largest sizes smaller."
    )


def test_what_could_not_be_measured_has_a_gpu_for_itself():
    assert (give_whole_gpus(machine(2)).gpus_per_trial, give_whole_gpus(machine(2)).is_measured) == (1.0, False)


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
    share = share_gpus(found, machine(), Settings(trials=1000)).gpus_per_trial

    assert share == 0.1111
    assert 9 * (allocator_fraction(share, 24 * GIB, found.context_bytes) * 24 * GIB + GIB) <= 24 * GIB


@pytest.mark.parametrize("peak", [0.2, 1.0, 3.0, 9.0, 30.0])
def test_what_a_trial_may_reserve_holds_what_was_measured(peak):
    found = weighed(peak)
    share = share_gpus(found, machine(), Settings(trials=1000)).gpus_per_trial

    assert allocator_fraction(share, found.total_bytes, found.context_bytes) * found.total_bytes >= 1.09 * peak * GIB


def test_trials_get_what_was_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(auto_share, "measure_on_gpu", lambda *_: weighed(8.0, 15.0, context=1.0))
    (tmp_path / "net.py").write_text("WIDTH = 8\n")
    space = Space(
        path=tmp_path / "s.yaml",
        program=tmp_path / "net.py",
        shape=System(),
        metric="M",
        mode="min",
        dimensions={"WIDTH": Choice(options=(8, 16))},
        settings=Settings(trials=100, gpus_per_trial="auto"),
        lines={},
    )
    program = find_program(space.program)
    search = Search(
        space=space,
        program=program,
        promoted=resolve_constants(space, program),
        resources=machine(),
        paths=ExperimentPaths(tmp_path),
    )
    _, job = _measure_share(search, build_job(space, program, search.promoted, tmp_path, search.resources))

    assert (job.gpu_share, job.context_bytes, job.n_threads) == (0.25, GIB, 16)
