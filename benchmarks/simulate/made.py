"""Makes tables of a family that nobody trained, to see whether what holds on recorded curves holds elsewhere.

    python -m benchmarks.simulate.made FOLDER [--kind made] [--tables 12] [--seed 0]

Each differs in which constants there are, how much each matters and where its best value lies, how rugged the landscape
is, how noisy an epoch, and how long a good configuration needs to show it. What they share is what networks share: the
best learning rate moves with the batch size and the optimizer, above it training diverges, small rates are slow,
large networks overfit, and small batches take long. The hardcoded values are anywhere between good and bad.

In tables of the kind ``failing``, learning rates above the best one are ahead at first, never reach the best value, and
fail in a later epoch. In tables of the kind ``noisy``, a value is the error on a small validation set, and some epochs
are far worse than their neighbours.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.simulate.tables import Floats

N_EPOCHS = 27
RATES = np.geomspace(1e-5, 1.0, 11)
AXES: dict[str, list[float] | list[int] | list[str]] = {
    "bs": [16, 32, 64, 128],
    "opt": ["adam", "sgd"],
    "width": [12, 24, 48, 96, 192],
    "dropout": [0.0, 0.2, 0.4, 0.6],
    "wd": [1e-6, 1e-5, 1e-4, 1e-3, 1e-2],
    "depth": [1, 2, 3, 4],
}
"""Beside the learning rate, of which every table has one."""
N_AXES = (2, 5)
"""So many of them a table has, the ends included."""
KINDS = ("made", "failing", "noisy")
N_VALIDATED = (50, 100, 200, 400)
"""Examples of a small validation set, of which a noisy table has one."""
LARGEST = 6.0
"""No loss is above it; a network that knows nothing begins at 1."""


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="made")
    parser.add_argument("--tables", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for number in range(options.tables):
        axes, loss, epoch_s = make_table(np.random.default_rng([options.seed, number]), options.kind)
        np.savez_compressed(
            options.folder / f"{options.kind}_{options.seed}_{number:02}.npz",
            axes=json.dumps(axes),
            loss=loss.astype(np.float32),
            acc=np.exp(-loss).astype(np.float32),
            epoch_time=epoch_s.astype(np.float32),
        )


def make_table(rng: np.random.Generator, kind: str = "made") -> tuple[dict[str, list], Floats, Floats]:
    """Return the axes, the loss of every combination in every epoch, and the seconds of an epoch of each."""
    names = rng.choice(list(AXES), rng.integers(N_AXES[0], N_AXES[1] + 1), replace=False)
    axes: dict[str, list] = {"lr": RATES.tolist(), **{name: AXES[name] for name in AXES if name in names}}
    shape = tuple(len(axis) for axis in axes.values())
    places = dict(zip(axes, np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij"), strict=True))
    rate = places["lr"] - _best_rate(places, rng)  # 0 where it fits; 0.2 is an order of magnitude
    final = _final(places, rate, rng)[..., None]
    epochs = np.arange(1, N_EPOCHS + 1)
    half_life = rng.uniform(0.3, 3.0) * np.exp2(np.clip(-rate * rng.uniform(3, 10), -3, 6))[..., None]  # epochs
    loss = final + (1 - final) * np.exp2(-epochs / half_life)
    loss += _overfitting(places, rng)[..., None] * np.maximum(0, epochs / N_EPOCHS - rng.uniform(0.2, 0.8))
    loss *= np.exp(rng.uniform(0.002, 0.04) * rng.standard_normal(loss.shape))
    loss = np.minimum(loss, LARGEST)
    diverges = rate + 0.05 * rng.standard_normal(shape) > rng.uniform(0.2, 0.45)
    since = rng.integers(1, 6, shape)  # the first epoch without a value
    loss[diverges[..., None] & (epochs >= since[..., None])] = np.nan
    epoch_s = _epoch_s(places, rng)
    if kind == "failing":
        loss = _with_failures(loss, rate, rng)
    if kind == "noisy":
        loss = _measured(loss, rng)
    return axes, loss, epoch_s


def _with_failures(loss: Floats, rate: Floats, rng: np.random.Generator) -> Floats:
    """Return the loss where larger learning rates are fast at first, and fail after some epochs."""
    epochs = np.arange(1, N_EPOCHS + 1)
    ends = loss[..., -1][np.isfinite(loss[..., -1])]
    lowest = ends.min() + rng.uniform(0.1, 0.5) * (np.median(ends) - ends.min())  # a fast training's, without end
    fast = lowest + (1 - lowest) * np.exp2(-epochs / rng.uniform(0.3, 1.0))
    fast = fast * np.exp(rng.uniform(0.002, 0.04) * rng.standard_normal(loss.shape))
    fast[epochs >= rng.integers(3, N_EPOCHS + 1, rate.shape)[..., None]] = np.nan
    fails = (rate > rng.uniform(0.05, 0.15)) & np.isfinite(loss[..., -1])
    return np.where(fails[..., None], fast, loss)


def _measured(loss: Floats, rng: np.random.Generator) -> Floats:
    """Return the error on a few examples in the place of the loss; in some epochs it is much larger."""
    error = 1 - np.exp(-np.nan_to_num(loss, nan=LARGEST))
    collapses = rng.random(loss.shape) < rng.uniform(0, 0.1)
    error = error + collapses * rng.uniform(0, 0.5, loss.shape) * (1 - error)
    n_validated = rng.choice(N_VALIDATED)
    return np.where(np.isnan(loss), np.nan, rng.binomial(n_validated, error) / n_validated)


def _best_rate(places: dict[str, Floats], rng: np.random.Generator) -> Floats:
    """Return the place of the best learning rate beside the other constants: 0.4 is that of 1e-3."""
    best = np.full_like(places["lr"], rng.uniform(0.25, 0.6))
    best += rng.uniform(0, 0.2) * (places.get("bs", 0.5) - 0.5) + rng.uniform(0.1, 0.4) * places.get("opt", 0)
    return best - rng.uniform(0, 0.15) * (places.get("width", 0.5) - 0.5)


def _final(places: dict[str, Floats], rate: Floats, rng: np.random.Generator) -> Floats:
    """Return the loss at the end of a training without end: a valley, rugged, and flat along what matters little."""
    apart = rng.uniform(3, 12) * rate**2
    for name, place in places.items():
        if name != "lr":
            apart = apart + rng.lognormal(-1.5, 1.2) * (place - rng.uniform(0, 1)) ** 2
    apart = apart + rng.uniform(0, 0.1) * np.abs(rng.standard_normal(rate.shape))
    lowest = rng.uniform(0.02, 0.4)
    return lowest + (1 - lowest) * apart / (apart + rng.uniform(0.3, 1.0))


def _overfitting(places: dict[str, Floats], rng: np.random.Generator) -> Floats:
    """Return how much the loss would rise from where it turns to the end."""
    size = (places.get("width", 0.5) + places.get("depth", 0.5)) / 2
    held_back = (places.get("dropout", 0.3) + places.get("wd", 0.3)) / 2
    return np.broadcast_to(rng.uniform(0, 0.4) * np.maximum(0, size - held_back), places["lr"].shape)


def _epoch_s(places: dict[str, Floats], rng: np.random.Generator) -> Floats:
    steps = np.exp2(-rng.uniform(1, 3) * places.get("bs", 0.5))
    size = np.exp2(rng.uniform(0, 2) * places.get("width", 0.5) + rng.uniform(0, 2) * places.get("depth", 0.5))
    return np.broadcast_to(steps * size, places["lr"].shape) * np.exp(0.05 * rng.standard_normal(places["lr"].shape))


if __name__ == "__main__":
    main()
