"""A fixed share of each validation set, kept out of validation: the same samples in all trials.

Which samples are kept depends on the length of the dataset alone, and not on a seed of the program's. The loaders that
a program gives to ``Trainer.fit`` and ``Trainer.validate``, or returns from ``val_dataloader``, are made anew over the
other samples, and differ in nothing else.
"""

import contextlib
import copy
import functools
import hashlib
import inspect
from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn

import numpy as np
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler, Subset

from tune.errors import ProgramError
from tune.internals.private_apis import patch_attribute

SEED = 0
"""Of the permutation whose first samples are kept."""
N_PARTS = 10
"""Into which held-out data are split, to see how much a metric depends on the samples."""
HOOK = "val_dataloader"
OF_THE_ORDER = frozenset({"self", "dataset", "shuffle", "sampler", "batch_sampler"})
"""Parameters of a DataLoader that are not the attributes of the same name."""
ADVICE = "Leave `holdout` out, or let the program keep a part of the validation set for a test_dataloader."


def draw_kept(length: int, share: float) -> np.ndarray:
    """Return the indices of the samples that are kept, ascending int64: at least one, and not all of two or more."""
    n_kept = min(max(1, round(share * length)), length - 1)
    permutation = np.random.RandomState(SEED).permutation(length)  # its stream never changes
    return np.sort(permutation[:n_kept]).astype(np.int64)


class HeldSubset(Subset[Any]):
    """A part of a validation set; it has the attributes of the whole one."""

    def __init__(self, dataset: Any, indices: np.ndarray, others: np.ndarray) -> None:
        """``others``: the indices of the samples that this part does not have."""
        super().__init__(dataset, indices.tolist())
        self.others = others

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # of one that is being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)


class HoldoutSplit:
    """Keeps a share of each validation set out, in one execution of the program."""

    def __init__(self, share: float | None) -> None:
        """``share``: None: nothing is kept out."""
        self._share = share
        self._patches = contextlib.ExitStack()
        self._patched: set[Any] = set()  # classes, and ids of instances, whose hook is wrapped
        self.kept: Any = None
        """The loaders of the kept samples, in the structure of the validation loaders made last; None: there is none.
        """
        self.parts: list[dict[str, Any]] = []
        """What is kept of each of them, as ``TrialRecord.holdout_of`` has it."""

    @property
    def is_active(self) -> bool:
        """Whether anything is to be kept out."""
        return self._share is not None

    def split_arguments(self, arguments: MutableMapping[str, Any], loaders: str, module: Any = None) -> None:
        """Split what a call of the Trainer is given, in place; ``loaders``: the name of the validation loaders there.

        ``module``: what it trains or validates, where the arguments do not say. Raises ProgramError where a loader
        cannot be split, now or when Lightning asks a module or a datamodule for it.
        """
        if self._share is None:
            return
        self.kept = None
        given = arguments.get(loaders)
        if given is not None and not hasattr(given, HOOK):
            arguments[loaders] = self._split(given)
        owners = [arguments.get(name) for name in ("model", "datamodule", "train_dataloaders", loaders)]
        for owner in (*owners, module):
            hook = getattr(owner, HOOK, None)
            if callable(hook):
                self._wrap_hook(owner if HOOK in vars(owner) else hook.__self__)  # torch.compile wraps the module

    def restore_hooks(self) -> None:
        """Give the program's classes their own hooks again."""
        self._patches.close()

    def _wrap_hook(self, owner: Any) -> None:
        """Wrap the hook of the class, for a module that is pickled has no function of ours; else of the instance."""
        place = owner if HOOK in vars(owner) else type(owner)
        key = id(owner) if place is owner else place
        if key not in self._patched:
            self._patched.add(key)
            self._patches.enter_context(patch_attribute(place, HOOK, self._wrap_function(getattr(place, HOOK))))

    def _wrap_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def replacement(*args: Any, **given: Any) -> Any:
            return self._split(function(*args, **given))

        return replacement

    def _split(self, loaders: Any) -> Any:
        """Return the loaders of the searched samples, and remember those of the kept ones."""
        self.parts = []
        searched, self.kept = self._split_structure(loaders, "the validation loader")
        return searched

    def _split_structure(self, loaders: Any, name: str) -> tuple[Any, Any]:
        match loaders:
            case None:
                return None, None
            case dict():
                pairs = {key: self._split_structure(each, f"{name} {key!r}") for key, each in loaders.items()}
                return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
            case list() | tuple():
                found = [self._split_structure(each, f"{name} {number}") for number, each in enumerate(loaders)]
                return [pair[0] for pair in found], [pair[1] for pair in found]
            case _ if hasattr(loaders, "flattened"):  # Lightning's CombinedLoader
                found = [self._split_structure(each, f"{name} {n}") for n, each in enumerate(loaders.flattened)]
                searched, kept = copy.copy(loaders), copy.copy(loaders)
                searched.flattened, kept.flattened = [pair[0] for pair in found], [pair[1] for pair in found]
                return searched, kept
            case _:
                return self._split_loader(loaders, name)

    def _split_loader(self, loader: Any, name: str) -> tuple[Any, Any]:
        assert self._share is not None
        whole: Any = getattr(loader, "dataset", None)
        if isinstance(whole, HeldSubset):  # given once more
            whole, searched, kept = whole.dataset, np.asarray(whole.indices), whole.others
        else:
            _check_loader(loader, name)
            kept = draw_kept(len(whole), self._share)
            searched = np.setdiff1d(np.arange(len(whole)), kept)
        self.parts.append(
            {
                "loader": name,
                "length": len(searched) + len(kept),
                "kept": len(kept),
                "digest": hashlib.sha256(kept.astype("<i8").tobytes()).hexdigest()[:16],
            }
        )
        return (
            _rebuild_loader(loader, HeldSubset(whole, searched, kept)),
            _rebuild_loader(loader, HeldSubset(whole, kept, searched)),
        )


def split_into_parts(loaders: Any) -> list[Any]:
    """Return loaders of equal parts of the data, each in the given structure; the same parts for the same lengths.

    N_PARTS of them, or of fewer samples as many; none where a loader cannot be made anew over a part of its dataset.
    """
    lengths: list[int] = []

    def note_length(loader: Any) -> None:
        _check_loader(loader, "")
        lengths.append(len(loader.dataset))

    try:
        _map_loaders(loaders, note_length)
    except ProgramError:
        return []
    n_parts = min([N_PARTS, *lengths])
    return [_map_loaders(loaders, functools.partial(_take_part, number, n_parts)) for number in range(n_parts)]


def _take_part(number: int, n_parts: int, loader: DataLoader[Any]) -> DataLoader[Any]:
    length = len(loader.dataset)  # type: ignore[arg-type]
    part = np.array_split(np.random.RandomState(SEED).permutation(length), n_parts)[number]
    others = np.setdiff1d(np.arange(length), part)
    dataset = HeldSubset(loader.dataset, np.sort(part), others)
    return _rebuild_loader(loader, dataset, drop_last=False, persistent_workers=False)  # each part has its workers


def _map_loaders(loaders: Any, function: Callable[[Any], Any]) -> Any:
    """Return what a function makes of each loader, in the same structure."""
    match loaders:
        case None:
            return None
        case dict():
            return {key: _map_loaders(each, function) for key, each in loaders.items()}
        case list() | tuple():
            return [_map_loaders(each, function) for each in loaders]
        case _ if hasattr(loaders, "flattened"):  # Lightning's CombinedLoader
            combined = copy.copy(loaders)
            combined.flattened = [_map_loaders(each, function) for each in loaders.flattened]
            return combined
        case _:
            return function(loaders)


def _check_loader(loader: Any, name: str) -> None:
    """Raise ProgramError where a loader cannot be made anew over a part of its dataset."""

    def refuse_loader(what: str, hint: str = ADVICE) -> NoReturn:
        raise ProgramError("holdout", f"{name} {what}", hint)

    if not isinstance(loader, DataLoader):
        refuse_loader(f"is no DataLoader, got {type(loader).__name__}")
    own = next((each for each in type(loader).__mro__ if vars(each).keys() & {"__iter__", "__len__"}), DataLoader)
    if own is not DataLoader:
        refuse_loader(f"is a {type(loader).__name__}, which iterates in a way of its own")
    if isinstance(loader.dataset, IterableDataset) or not hasattr(loader.dataset, "__len__"):
        refuse_loader(f"reads a {type(loader.dataset).__name__}, whose samples have no index")
    if type(loader.batch_sampler) not in (BatchSampler, type(None)) or (
        loader.batch_size is None and loader.batch_sampler is not None
    ):
        refuse_loader(f"has a batch sampler of its own, a {type(loader.batch_sampler).__name__}")
    if not _is_plain_sampler(loader.sampler, len(loader.dataset)):
        hint = f"Take the sampler out: validation needs each sample once. {ADVICE}"
        refuse_loader(f"has a sampler of its own, a {type(loader.sampler).__name__}", hint)
    if len(loader.dataset) < 2:
        refuse_loader(f"has {len(loader.dataset)} samples, too few to hold a part out")


def _is_plain_sampler(sampler: Any, length: int) -> bool:
    """Tell whether a sampler takes each sample once."""
    if type(sampler) is RandomSampler:
        return not sampler.replacement and sampler.num_samples == length
    return type(sampler) is SequentialSampler


def _rebuild_loader(loader: DataLoader[Any], dataset: HeldSubset, **changes: Any) -> DataLoader[Any]:
    """Return a loader of a part of the dataset that is like the given one in all else but the changes."""
    given = {}
    for name, parameter in inspect.signature(DataLoader).parameters.items():
        if name not in OF_THE_ORDER and hasattr(loader, name):
            value = getattr(loader, name)
            if value is not parameter.default and value != parameter.default:
                given[name] = value
    if isinstance(loader.sampler, RandomSampler):
        given["sampler"] = RandomSampler(dataset, generator=loader.sampler.generator)
    return DataLoader(dataset, **{**given, **changes})
