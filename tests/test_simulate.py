"""The simulator that the defaults are judged by: every method runs, a seed gives one search, and rows are kept."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulate.events import Run, simulate
from benchmarks.simulate.made import N_VALIDATED, RATES, make_table
from benchmarks.simulate.methods import DEFAULT, build_method
from benchmarks.simulate.regret import Regrets, print_regrets
from benchmarks.simulate.runs import Cell, Row, read_rows, run_cells, table_name
from benchmarks.simulate.tables import Scale, find_tables, open_table, scale_of
from tune.space.dimensions import Choice, FloatRange, IntRange

AXES = {"lr": [1e-4, 1e-3, 1e-2], "opt": ["sgd", "adam"], "width": [16, 64]}
N_EPOCHS = 5


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A grid whose best value is that of lr=1e-2 with adam and 64 units, and where sgd at that rate diverges."""
    rng = np.random.default_rng(0)
    start = rng.uniform(0.5, 1.0, (3, 2, 2, 1))
    loss = start / (1 + np.arange(N_EPOCHS))
    loss[2, 1, 1] = 0.1 / (1 + np.arange(N_EPOCHS))
    loss[2, 0] = np.nan
    file = tmp_path / "tiny.npz"
    np.savez(file, loss=loss, acc=1 - loss, epoch_time=rng.uniform(1, 2, (3, 2, 2)), axes=json.dumps(AXES))
    return f"{file}:loss"


def test_table_of_a_grid_has_the_ranges_of_its_axes(table):
    tiny = open_table(table)
    assert tiny.dimensions == {
        "lr": FloatRange(low=1e-4, high=1e-2, log=True),
        "opt": Choice(options=("sgd", "adam")),
        "width": IntRange(low=16, high=64, log=True),
    }
    assert tiny.hardcoded == {"lr": 1e-3, "opt": "adam", "width": 64}
    values, _ = tiny.curve({"lr": 8e-3, "opt": "adam", "width": 50})
    assert values[-1] == pytest.approx(0.1 / N_EPOCHS)
    assert scale_of(table).best == pytest.approx(0.1 / N_EPOCHS)


def test_folder_gives_its_tables_by_name(table):
    folder = str(Path(table).parent)
    assert find_tables([folder]) == [table]


@pytest.mark.parametrize("name", [name for name in DEFAULT if "gp" not in name])
def test_method_with_one_seed_gives_one_search(name, table):
    tiny = open_table(table)
    runs = [simulate(tiny, build_method(name, tiny, seed, 3), 3, 150.0) for seed in (1, 1, 2)]
    assert runs[0].best == runs[1].best
    assert runs[0].n_trials == runs[1].n_trials
    assert (runs[0].best, runs[0].n_epochs) != (runs[2].best, runs[2].n_epochs)
    assert runs[0].best == sorted(runs[0].best, reverse=True)


def test_ours_begins_with_the_hardcoded_values_and_stops_weak_trials(table):
    tiny = open_table(table)
    assert build_method("ours", tiny, 0, 2).ask("a") == tiny.hardcoded
    run = simulate(tiny, build_method("ours", tiny, 0, 2), 2, 300.0)
    whole = simulate(tiny, build_method("ours scheduler=none", tiny, 0, 2), 2, 300.0)
    assert run.n_epochs / run.n_trials < 0.75 * whole.n_epochs / whole.n_trials


def test_a_table_of_first_epochs_is_one_of_its_own(table):
    short = open_table(f"{table}@3+2")
    whole = open_table(table)
    config = {"lr": 1e-2, "opt": "adam", "width": 64}
    values, epoch_s = short.curve(config)

    assert (short.n_epochs, list(values), epoch_s) == (3, list(whole.curve(config)[0][:3]), whole.curve(config)[1])
    assert short.start_s == pytest.approx(2 * whole.known()[1].mean())
    assert scale_of(f"{table}@3+2").full_s == pytest.approx(5 * whole.known()[1].mean())


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("f/x.json", "x"),
        ("f/x.json@10+2", "x@10+2"),
        ("f/x.npz:loss@5+0", "x:loss@5+0"),
        ("f@1/lcbench.onnx:7593", "lcbench:7593"),
    ],
)
def test_no_two_tables_have_one_name(named, name):
    assert table_name(named) == name


class Recorder:
    """Draws the hardcoded values, and stops nobody."""

    def __init__(self, table):
        self.values, self.heard = table.hardcoded, {}

    def ask(self, trial):
        return self.values

    def report(self, trial, epoch):
        self.heard.setdefault(trial, []).append(epoch)
        return epoch.last


def test_methods_hear_when_epochs_end_and_when_the_worker_had_its_last(table):
    short = open_table(f"{table}@3+2")
    method = Recorder(short)
    epoch_s = short.curve(short.hardcoded)[1]
    simulate(short, method, 1, 3 * (short.start_s + 3 * epoch_s) + 0.1)

    first, second, _ = method.heard.values()
    assert [each.at for each in first] == pytest.approx([short.start_s + number * epoch_s for number in (1, 2, 3)])
    assert {each.before for each in first} == {None}
    assert {each.before for each in second} == {first[-1].at}
    assert second[0].at - first[-1].at == pytest.approx(short.start_s + epoch_s)


def test_rows_of_a_file_are_not_run_again(table, tmp_path):
    cells = [Cell(table=table, n_workers=2, seed=seed, method="random+asha") for seed in (0, 1)]
    file = tmp_path / "rows.jsonl"
    first = [known for _, known in run_cells(cells[:1], file, 1)]
    file.write_text(file.read_text() + '{"table": "tiny", "n_wor')  # the process was killed as it wrote
    second = [known for _, known in run_cells(cells, file, 1)]
    assert first == [False]
    assert second == [True, False]


def test_regret_is_0_at_the_best_value_known(table, tmp_path):
    cells = [Cell(table=table, n_workers=2, seed=seed, method=name) for seed in (0, 1) for name in ("ours", "random")]
    regrets = Regrets([row for row, _ in run_cells(cells, tmp_path / "rows.jsonl", 1)], ["ours", "random"])
    assert regrets.pairs == [("tiny:loss", 0), ("tiny:loss", 1)]
    assert len(read_rows(tmp_path / "rows.jsonl")) == 4
    for row, regret in zip(regrets.rows["ours"], regrets.ends("ours"), strict=True):
        best = scale_of(table)
        assert regret == pytest.approx((row.run.best[-1] - best.best) / (best.median - best.best))


def test_difference_is_told_for_other_tables_and_with_each_left_out(capsys):
    """Level on two tables of three; seeds say that it is sure, tables that it is not."""
    regrets = {"a": {"ours": 0.1, "ray": 0.1}, "b": {"ours": 0.2, "ray": 0.2}, "c": {"ours": 0.1, "ray": 0.7}}
    rows = [
        Row(
            table=table,
            n_workers=4,
            seed=seed,
            method=method,
            made_by="",
            run=Run(best=[regret] * 80, n_trials=1, n_epochs=1, method_s=0.0),
            scale=Scale(best=0.0, median=1.0, full_s=1.0),
        )
        for table, methods in regrets.items()
        for method, regret in methods.items()
        for seed in range(20)
    ]
    print_regrets(Regrets(rows, ["ours", "ray"]), 4, "ours")
    printed = capsys.readouterr().out
    assert "+20.0 [+13.0, +27.0]" in printed
    assert "[+0.0, +60.0]    +0.0 to +30.0" in printed


def test_made_table_diverges_at_large_rates_and_has_a_best_one_between():
    for seed in range(5):
        axes, loss, epoch_s = make_table(np.random.default_rng(seed))
        assert axes["lr"] == RATES.tolist()
        assert loss.shape[:-1] == epoch_s.shape == tuple(len(axis) for axis in axes.values())
        ends = loss[..., -1].reshape(len(RATES), -1)
        diverged = np.isnan(ends).mean(1)
        assert diverged[0] == 0
        assert diverged[-1] > 0.2
        best = np.nanmin(ends[diverged < 1], 1).argmin()
        assert 0 < best < len(RATES) - 1
        assert (epoch_s > 0).all()


def test_made_tables_of_one_seed_are_the_same():
    first, second = (make_table(np.random.default_rng([0, 3]))[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_failing_table_has_configurations_that_are_ahead_at_first_and_fail_later():
    for seed in range(5):
        _, loss, _ = make_table(np.random.default_rng(seed), "failing")
        fails = np.isnan(loss[..., -1])
        late = fails & np.isfinite(loss[..., 1])

        assert 0.05 < late.mean() < 0.6
        assert np.nanmedian(loss[late][:, 1]) < np.nanmedian(loss[~fails][:, 1])
        assert np.nanmin(loss[fails]) > np.nanmin(loss[~fails])


def test_noisy_table_has_errors_of_a_small_validation_set():
    for seed in range(5):
        smooth, noisy = (make_table(np.random.default_rng(seed), kind)[1] for kind in ("made", "noisy"))

        np.testing.assert_array_equal(np.isnan(smooth), np.isnan(noisy))
        n_validated = min(n for n in N_VALIDATED if np.allclose(np.nan_to_num(noisy) * n % 1 % 0.999999, 0, atol=1e-5))
        deviations = np.nanstd(np.diff(noisy, axis=-1)) / np.nanstd(np.diff(1 - np.exp(-smooth), axis=-1))
        assert n_validated in N_VALIDATED
        assert deviations > 1


class Scripted(Recorder):
    """Stops each trial after its second epoch."""

    def report(self, trial, epoch):
        return super().report(trial, epoch) or epoch.epoch == 2 or not math.isfinite(epoch.value)


def test_values_of_a_trial_that_fails_do_not_count():
    class Failing:
        """The first trial fails in its second epoch, after the best value of all."""

        n_epochs, start_s, hardcoded = 3, 0.0, {}

        def __init__(self):
            self.curves = iter([np.array([0.1, np.nan, np.nan])])

        def curve(self, config):
            return next(self.curves, np.array([0.5, 0.4, 0.3])), 1.0

    run = simulate(Failing(), Scripted(Failing()), 1, 8.0)

    assert run.best[-1] == 0.4
    assert math.isinf(run.best[10])
