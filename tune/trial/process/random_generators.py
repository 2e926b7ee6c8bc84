"""The states of the random number generators, and a seed that is put in force in a program that seeds itself.

Put a seed in force in a program that seeds itself: its own seeds become others, one for each of ours.

What varies is what the *global* generators decide (Python's, NumPy's, torch's): initial weights, the order of batches,
dropout, and a split or noise drawn from them. A generator that the program makes and seeds for itself
(``torch.Generator().manual_seed(0)``, ``np.random.default_rng(0)``, ``random_state=0``) keeps its seed: that is how
programs say which data they train on, and a retraining under other seeds is to compare values on the same data.
"""

import base64
import contextlib
import functools
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch


def rng_state() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators."""
    numpy_state: Any = np.random.get_state(legacy=False)
    state = numpy_state["state"]
    devices = torch.cuda.get_rng_state_all() if _uses_cuda() else []
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {"key": state["key"].tolist(), "pos": int(state["pos"])}},
        "torch": _encode_tensor(torch.get_rng_state()),
        "cuda": [_encode_tensor(device) for device in devices],
    }


def describe_generators() -> tuple[Any, ...]:
    """Return what is another one once a generator of the CPU's was seeded or drawn from."""
    numpy_state: Any = np.random.get_state(legacy=False)
    key, pos = numpy_state["state"].values()
    return random.getstate(), key.tobytes(), pos, numpy_state["has_gauss"], torch.get_rng_state().numpy().tobytes()


def _uses_cuda() -> bool:
    """Return whether this process has initialised CUDA: to ask for the states of its GPUs would initialise it."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def restore_rng(state: dict[str, Any]) -> None:
    """Put the generators back."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    held = state["numpy"]
    key = np.array(held["state"]["key"], dtype=np.uint32)
    np.random.set_state({**held, "state": {"key": key, "pos": held["state"]["pos"]}})
    torch.set_rng_state(_decode_tensor(state["torch"]))
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_decode_tensor(text) for text in state["cuda"]])


def generator_state(generator: Any) -> Any:
    """Return the state of one generator that a program made for itself."""
    match generator:
        case torch.Generator():
            return _encode_tensor(generator.get_state())
        case np.random.Generator():
            return _as_lists(generator.bit_generator.state)
        case np.random.RandomState():
            return _as_lists(generator.get_state(legacy=False))
        case _:
            return generator.getstate()


def restore_generator(generator: Any, state: Any) -> None:
    """Put one generator back."""
    match generator:
        case torch.Generator():
            generator.set_state(_decode_tensor(state))
        case np.random.Generator():
            generator.bit_generator.state = state
        case np.random.RandomState():
            key = np.array(state["state"]["key"], dtype=np.uint32)
            generator.set_state({**state, "state": {**state["state"], "key": key}})
        case _:
            version, numbers, gauss = state
            generator.setstate((version, tuple(numbers), gauss))


def _as_lists(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {name: _as_lists(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _encode_tensor(state: torch.Tensor) -> str:
    return base64.b64encode(state.cpu().numpy().tobytes()).decode()


def _decode_tensor(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype=np.uint8).copy())


SEEDERS: tuple[tuple[Any, str], ...] = (
    (random, "seed"),
    (np.random, "seed"),
    (torch, "manual_seed"),
    (torch.random, "manual_seed"),
    (torch.cuda, "manual_seed"),
    (torch.cuda, "manual_seed_all"),
)
"""All that seeds a global generator; Lightning's ``seed_everything`` goes through these."""


@contextlib.contextmanager
def override_seeds(seed: int) -> Iterator[None]:
    """Mix ``seed`` into every seed that is given to a global generator.

    Different seeds of the program stay different, and the same one stays the same: a program that seeds anew before
    each part of its work still does.
    """
    before = [(owner, name, getattr(owner, name)) for owner, name in SEEDERS]
    for owner, name, function in before:
        setattr(owner, name, _wrap_seeder(function, seed))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _wrap_seeder(function: Callable[..., Any], ours: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def replacement(*args: Any, **given: Any) -> Any:
        if args:
            args = (_mix_seed(args[0], ours), *args[1:])
        else:
            given = {name: value if name == "version" else _mix_seed(value, ours) for name, value in given.items()}
        return function(*args, **given)

    return replacement


def derive_seed(seed: int, number: int) -> int:
    """Return the so-manieth further seed of a trial, counted from 1: one that no small number is."""
    found: int = _mix_seed(number, seed)
    return found


def _mix_seed(seed: Any, ours: int) -> Any:
    """Return another seed, in NumPy's range; None asks for a random one, and does so still."""
    if seed is None:
        return None
    digest = hashlib.sha256(f"{seed!r} under {ours}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
