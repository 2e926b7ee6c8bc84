"""Recorded learning curves to search on. The formats of their files are described in ``benchmarks/README.md``."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tune.space.dimensions import Choice, Dimension, FloatRange, IntRange, Value

Config = Mapping[str, Value]
Floats = NDArray[np.float64]

SHORT = re.compile(r"(?P<table>.*)@(?P<epochs>\d+)\+(?P<start>[\d.]+)")
"""The name of a table's first epochs, with what a trial takes to start, in epochs."""

N_DRAWN = 6000
"""Random configurations that stand for a table of which no end of configurations can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a table's regret is measured by."""

    best: float
    """The best value known in any epoch, of configurations whose training does not fail."""
    median: float
    """Of random configurations, after their last epoch."""
    full_s: float
    """Mean seconds of a configuration that is trained to its end."""


class Table(Protocol):
    """The curves of one training problem; a smaller value is better."""

    name: str
    dimensions: dict[str, Dimension]
    hardcoded: dict[str, Value]
    """What a sensible person would have written into the program."""
    n_epochs: int
    start_s: float
    """Seconds that a trial takes before its first epoch begins."""

    def curve(self, config: Config) -> tuple[Floats, float]:
        """Return the values of all epochs, and the seconds of one."""

    def known(self) -> tuple[Floats, Floats]:
        """Return the values (configurations, epochs) that a regret is measured by, and the seconds of an epoch."""


class Grid:
    """An ``.npz`` file: every combination of some values was trained; a configuration is its nearest neighbour."""

    KNOWN: Mapping[str, Value] = {"lr": 1e-3, "opt": "adam", "bs": 64, "width": 48, "dropout": 0.0, "wd": 1e-4}
    CHOICES = ("bs",)  # of numbers; strings are choices anyway
    start_s = 0.0

    def __init__(self, path: Path, metric: str) -> None:
        with np.load(path) as arrays:
            self._axes: dict[str, list[Any]] = json.loads(str(arrays["axes"]))
            self._values = arrays["loss"] if metric == "loss" else 1 - arrays["acc"]
            self._epoch_s = arrays["epoch_time"]
        self.name = path.stem if metric == "loss" else f"{path.stem}:{metric}"
        self.n_epochs = self._values.shape[-1]
        self.dimensions = {
            name: Choice(options=tuple(axis)) if name in self.CHOICES else _range_of(axis)
            for name, axis in self._axes.items()
        }
        self.hardcoded = {
            name: self.KNOWN[name] if self.KNOWN.get(name) in axis else axis[len(axis) // 2]
            for name, axis in self._axes.items()
        }

    def curve(self, config: Config) -> tuple[Floats, float]:
        """Return the curve of the nearest point."""
        place = tuple(self._nearest(name, config[name]) for name in self._axes)
        return self._values[place], float(self._epoch_s[place])

    def known(self) -> tuple[Floats, Floats]:
        """Return all points."""
        return self._values.reshape(-1, self.n_epochs), self._epoch_s.ravel()

    def _nearest(self, name: str, value: Any) -> int:
        axis = self._axes[name]
        match self.dimensions[name]:
            case Choice():
                return axis.index(value)
            case FloatRange(log=True) | IntRange(log=True):
                return int(np.abs(np.log(axis) - math.log(value)).argmin())
            case _:
                return int(np.abs(np.array(axis) - value).argmin())


class Sample:
    """A ``.json`` file: random configurations were trained; a configuration is its nearest neighbour in log space."""

    KNOWN: Mapping[str, float] = {
        "learning_rate": 1e-3,
        "one_minus_beta1": 0.1,
        "one_minus_beta2": 1e-3,
        "epsilon": 1e-8,
        **dict.fromkeys(("l1", "l2", "linear_decay", "exponential_decay"), 1e-6),
    }
    LEAST = 1e-12
    start_s = 0.0

    def __init__(self, path: Path) -> None:
        rows = json.loads(path.read_text())
        names = list(rows[0]["hp"])
        points = np.array([[_log_of(name, row["hp"][name]) for name in names] for row in rows])
        self.name = path.stem
        self._names = [f"one_minus_{name}" if name.startswith("beta") else name for name in names]
        self._low, self._high = points.min(0), points.max(0)
        self._points = (points - self._low) / (self._high - self._low)
        self._values = np.array([row["valid"]["loss"][1:] for row in rows], float)  # the first: before training
        self.n_epochs = min(50, self._values.shape[1])
        self._values = self._values[:, : self.n_epochs]
        ends = zip(self._names, np.exp(self._low).tolist(), np.exp(self._high).tolist(), strict=True)
        self.dimensions = {name: FloatRange(low=low, high=high, log=True) for name, low, high in ends}
        middle = np.exp((self._low + self._high) / 2).tolist()
        self.hardcoded = {
            name: min(max(self.KNOWN.get(name, centre), dimension.low), dimension.high)
            for (name, dimension), centre in zip(self.dimensions.items(), middle, strict=True)
        }

    def curve(self, config: Config) -> tuple[Floats, float]:
        """Return the curve of the nearest point; each epoch takes a second."""
        logs = np.log([config[name] for name in self._names])  # type: ignore[arg-type] - floats
        point = (logs - self._low) / (self._high - self._low)
        return self._values[int(((self._points - point) ** 2).sum(1).argmin())], 1.0

    def known(self) -> tuple[Floats, Floats]:
        """Return all points."""
        return self._values, np.ones(len(self._values))


class Surrogate:
    """An ``.onnx`` file: YAHPO-Gym's network, fitted to the runs of LCBench; one table a task. Validation error, %."""

    TASKS = (
        *("126025", "126026", "126029", "146212", "167083", "167104", "167149", "167152", "167161", "167168"),
        *("167181", "167184", "167185", "167190", "167200", "167201", "168329", "168330", "168331", "168335"),
        *("168868", "168908", "168910", "189354", "189862", "189865", "189866", "189873", "189905", "189906"),
        *("189908", "189909", "34539", "3945", "7593"),
    )
    """In the order of the network's codes, which begin at 1."""
    n_epochs = 50
    start_s = 0.0

    def __init__(self, path: Path, task: str) -> None:
        self._session = _session(path)
        self._code = self.TASKS.index(task) + 1
        self.name = f"{path.stem}:{task}"
        self.dimensions = {
            "batch_size": IntRange(low=16, high=512, log=True),
            "learning_rate": FloatRange(low=1e-4, high=1e-1, log=True),
            "momentum": FloatRange(low=0.1, high=0.99),
            "weight_decay": FloatRange(low=1e-5, high=1e-1),
            "num_layers": IntRange(low=1, high=5),
            "max_units": IntRange(low=64, high=1024, log=True),
            "max_dropout": FloatRange(low=0.0, high=1.0),
        }
        self.hardcoded = {
            "batch_size": 64,
            "learning_rate": 1e-2,
            "momentum": 0.9,
            "weight_decay": 1e-4,
            "num_layers": 3,
            "max_units": 256,
            "max_dropout": 0.2,
        }

    def curve(self, config: Config) -> tuple[Floats, float]:
        """Return what the network says."""
        values, epoch_s = self._curves(np.array([[config[name] for name in self.dimensions]]))
        return values[0], float(epoch_s[0])

    def known(self) -> tuple[Floats, Floats]:
        """Return random configurations."""
        rng = np.random.default_rng(12345)
        drawn = [[_drawn(dimension, rng) for dimension in self.dimensions.values()] for _ in range(N_DRAWN)]
        parts = [self._curves(np.array(drawn[start : start + 500])) for start in range(0, N_DRAWN, 500)]
        return np.concatenate([values for values, _ in parts]), np.concatenate([epoch_s for _, epoch_s in parts])

    def _curves(self, configs: Floats) -> tuple[Floats, Floats]:
        n = len(configs)
        inputs = np.zeros((n, self.n_epochs, 8), np.float32)
        inputs[:, :, 0] = np.arange(2, self.n_epochs + 2)  # the network's first epoch is before training
        inputs[:, :, 1:] = configs[:, None, :]
        codes = np.full((n * self.n_epochs, 1), self._code, np.int32)
        outputs = self._session.run(None, {"x_cat": codes, "x_cont": inputs.reshape(-1, 8)})[0]
        outputs = outputs.reshape(n, self.n_epochs, 6)
        return 100 - outputs[:, :, 1].astype(float), np.maximum(outputs[:, -1, 0], 1.0) / self.n_epochs


class Short:
    """The first epochs of another table, as a training of its own, whose trials take a while to start."""

    def __init__(self, table: Table, n_epochs: int, start: float) -> None:
        self._table = table
        if n_epochs > table.n_epochs:
            raise SystemExit(f"{table.name}: it has {table.n_epochs} epochs, --epochs is {n_epochs}")
        self.name = f"{table.name}@{n_epochs}+{start:g}"
        self.n_epochs = n_epochs
        self.dimensions, self.hardcoded = table.dimensions, table.hardcoded
        self.start_s = start * float(table.known()[1].mean())

    def curve(self, config: Config) -> tuple[Floats, float]:
        """Return the first epochs."""
        values, epoch_s = self._table.curve(config)
        return values[: self.n_epochs], epoch_s

    def known(self) -> tuple[Floats, Floats]:
        """Return the first epochs of all points."""
        values, epoch_s = self._table.known()
        return values[:, : self.n_epochs], epoch_s


STANDARD = {
    "digits.npz": ("loss",),
    "digits_noisy.npz": ("error",),
    "diabetes.npz": ("loss",),
    "lcbench.onnx": ("126025", "167168", "168330", "189354", "7593", "189906"),
}
"""What is taken of these files when they are named without a part."""


def find_tables(named: Sequence[str]) -> list[str]:
    """Return the tables, as ``open_table`` takes them, of files, of ``FILE:PART`` and of folders of files."""
    found = []
    for each in named:
        if (folder := Path(each)).is_dir():
            files = sorted(path for path in folder.iterdir() if path.suffix in (".npz", ".json", ".onnx"))
            found += [table for path in files for table in _parts_of(path)]
        else:
            found += [each] if ":" in each else list(_parts_of(Path(each)))
    return found


def _parts_of(path: Path) -> Iterator[str]:
    match path.suffix:
        case ".json":
            yield str(path)
        case ".npz":
            yield from (f"{path}:{part}" for part in STANDARD.get(path.name, ("loss",)))
        case ".onnx":
            yield from (f"{path}:{part}" for part in STANDARD.get(path.name, Surrogate.TASKS[:1]))
        case suffix:
            raise SystemExit(f"{path}: a table is an .npz, .json or .onnx file, got {suffix!r}")


@lru_cache
def open_table(named: str) -> Table:
    """Return a table of ``find_tables``; behind it ``@10+2`` may stand: 10 epochs, a start as long as two of them."""
    if short := SHORT.fullmatch(named):
        return Short(open_table(short["table"]), int(short["epochs"]), float(short["start"]))
    file, _, part = named.partition(":")
    path = Path(file)
    match path.suffix:
        case ".npz":
            return Grid(path, part)
        case ".onnx":
            return Surrogate(path, part)
        case _:
            return Sample(path)


@lru_cache
def scale_of(named: str) -> Scale:
    """Return what the regret of a table is measured by."""
    table = open_table(named)
    values, epoch_s = table.known()
    full_s = table.start_s + float(epoch_s.mean()) * values.shape[1]
    sound = values[np.isfinite(values).all(1)]
    return Scale(best=float(sound.min()), median=float(np.nanmedian(values[:, -1])), full_s=full_s)


def _range_of(axis: Sequence[Any]) -> Dimension:
    """Return the range from the least to the largest value, in log space where it spans much."""
    if any(isinstance(value, str) for value in axis):
        return Choice(options=tuple(axis))
    low, high = min(axis), max(axis)
    if all(isinstance(value, int) for value in axis):
        return IntRange(low=low, high=high, log=True) if low > 0 else IntRange(low=low, high=high)
    return FloatRange(low=low, high=high, log=True) if low > 0 and high >= 100 * low else FloatRange(low=low, high=high)


def _log_of(name: str, value: float) -> float:
    return math.log(max(1 - value if name.startswith("beta") else value, Sample.LEAST))


def _drawn(dimension: Dimension, rng: np.random.Generator) -> float:
    match dimension:
        case FloatRange(log=True) | IntRange(log=True):
            drawn = float(np.exp(rng.uniform(np.log(dimension.low), np.log(dimension.high))))
        case FloatRange() | IntRange():
            drawn = float(rng.uniform(dimension.low, dimension.high))
        case _:
            raise AssertionError("the surrogate has no choices")
    return round(drawn) if isinstance(dimension, IntRange) else drawn


@lru_cache
def _session(path: Path) -> Any:
    try:
        import onnxruntime  # no dependency of ours: only this one format needs it
    except ImportError as error:
        raise SystemExit(f"{path}: an .onnx table needs `pip install onnxruntime`; leave it out otherwise") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)
