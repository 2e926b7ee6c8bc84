"""The samplers and schedulers by name, the arguments that classes of libraries take, and the numbers they accept.

The arguments of a library's class, read from the installed file with `ast`: importing it takes seconds.
"""

import ast
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import Value, is_number
from tune.space.parse_dimension import parse_scalar

SIMPLE = frozenset({"int", "float", "bool", "str", "None"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryArgument:
    """One argument of a constructor."""

    name: str
    """As the library calls it."""
    kinds: frozenset[str]
    """Of SIMPLE: what it takes. Empty where the annotation names other types as well, which are not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSpec:
    """What is known of a sampler without an import of Optuna."""

    source: tuple[str, str]
    """The file of Optuna's, and the class in it whose arguments `sampler_args` are."""
    learns_from_pruned: bool = True
    """Whether it learns from trials that were stopped; one that ignores them is told their last values."""


SAMPLERS: Mapping[str, SamplerSpec] = {
    "tpe": SamplerSpec(source=("samplers/_tpe/sampler.py", "TPESampler")),
    "gp": SamplerSpec(source=("samplers/_gp/sampler.py", "GPSampler"), learns_from_pruned=False),
    "cmaes": SamplerSpec(source=("samplers/_cmaes.py", "CmaEsSampler"), learns_from_pruned=False),
    "qmc": SamplerSpec(source=("samplers/_qmc.py", "QMCSampler")),
    "random": SamplerSpec(source=("samplers/_random.py", "RandomSampler")),
    "grid": SamplerSpec(source=("samplers/_grid.py", "GridSampler")),
}
"""By their names in a space file. Checks, the help, completion and the pages follow from this table."""


def _takes(**arguments: str) -> dict[str, LibraryArgument]:
    """Return arguments and their kinds; every scheduler that stops trials takes the metric that it looks at."""
    kinds = {**arguments, "metric": "str"}
    return {name: LibraryArgument(name=name, kinds=frozenset(kind.split())) for name, kind in kinds.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSpec:
    """What is known of a scheduler without its code."""

    arguments: Mapping[str, LibraryArgument]
    """Named as in Ray Tune; counted in epochs."""
    pauses_trials: bool = False
    """Whether it lets trials wait for others: then they go on from their last checkpoint."""


SCHEDULERS: Mapping[str, SchedulerSpec] = {
    "asha": SchedulerSpec(arguments=_takes(grace_period="int", reduction_factor="int float")),
    "hyperband": SchedulerSpec(arguments=_takes(max_t="int", reduction_factor="int float"), pauses_trials=True),
    "median": SchedulerSpec(arguments=_takes(grace_period="int", min_samples_required="int")),
    "pbt": SchedulerSpec(
        arguments=_takes(perturbation_interval="int", quantile_fraction="float", resample_probability="int float"),
        pauses_trials=True,
    ),
    "none": SchedulerSpec(arguments={}),
}
"""By their names in a space file, likewise."""


@cache
def arguments_of_class(package: str, file: str, name: str) -> dict[str, LibraryArgument]:
    """Return the arguments of ``name.__init__`` in the library's order; none where it is not installed."""
    spec = importlib.util.find_spec(package)  # of a top-level name: imports nothing
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((Path(folder) / file for folder in folders if (Path(folder) / file).is_file()), None)
    if path is None:
        return {}
    tree = ast.parse(path.read_bytes())
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    functions = (node for each in classes for node in each.body if isinstance(node, ast.FunctionDef))
    init = next(node for node in functions if node.name == "__init__")
    arguments = [*init.args.args[1:], *init.args.kwonlyargs]
    return {each.arg: LibraryArgument(name=each.arg, kinds=_simple_types_of(each.annotation)) for each in arguments}


def check_argument(
    name: str,
    value: Value,
    known: Mapping[str, LibraryArgument],
    ours: Mapping[str, str],
    owner: str,
    where: str | None,
) -> None:
    """Raise SpaceError at an argument of the ``ours`` (name: why), an unknown one, or a value of the wrong type.

    ``owner`` is the key of the space file, as in ``trainer``. Nothing is unknown where the library is not installed.
    """
    if name in ours:
        raise SpaceError(where, f"{owner}: {name!r} is set by the search", f"Take it out: {ours[name]}.")
    if not known:
        return
    if name not in known:
        hint = suggest_name(name, known.keys() - ours.keys(), what="arguments")
        raise SpaceError(where, f"{owner}: no such argument, got {name!r}", hint)
    kinds = known[name].kinds
    if kinds and not _is_of_kinds(value, kinds):
        expected = " or ".join(sorted(kinds - {"None"}))
        raise SpaceError(
            where, f"{owner}: {name} takes {expected}, got {value!r}", f"Write a value of type {expected}."
        )


def _simple_types_of(annotation: ast.expr | None) -> frozenset[str]:
    """Return the simple types of ``Optional[Union[int, str]]``; nothing where there are others."""
    names = frozenset(_type_names(annotation)) if annotation is not None else frozenset()
    return names if names <= SIMPLE else frozenset()


def _type_names(node: ast.expr) -> list[str]:
    match node:
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return ["None", *_type_names(inner)]
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
            return [name for member in members for name in _type_names(member)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_type_names(left), *_type_names(right)]
        case _:
            return [ast.unparse(node)]


def _is_of_kinds(value: Value, kinds: frozenset[str]) -> bool:
    name = "None" if value is None else type(value).__name__
    return name in kinds or (is_number(value) and name == "int" and "float" in kinds)


TRAINER_FILES = {"pytorch_lightning": "trainer/trainer.py", "lightning": "pytorch/trainer/trainer.py"}
"""The packages that hold a Trainer, and where; the first that is installed counts."""

OURS = {
    "logger": "every trial logs into its own version",
    "callbacks": "they cannot be written in a space file, and the search adds its own; give them in the program",
    "default_root_dir": "every trial writes into its own version",
    "enable_checkpointing": "every version keeps its best checkpoint, which `resume` and `retrain` need",
    "fast_dev_run": "it would log nothing to search by; use --fast-dev-run",
}
"""Arguments that the search sets, with the reason."""


def trainer_args() -> dict[str, LibraryArgument]:
    """Return the arguments by name, in Lightning's order; none where no Lightning is installed."""
    found = (arguments_of_class(package, file, "Trainer") for package, file in TRAINER_FILES.items())
    return next((arguments for arguments in found if arguments), {})


def check_trainer_args(args: dict[str, Value], where: str | None) -> None:
    """Raise SpaceError, which starts with ``where``, at the first argument that will not do."""
    for name, value in args.items():
        check_trainer_arg(name, value, where)


def check_trainer_arg(name: str, value: Value, where: str | None) -> None:
    """Raise SpaceError at an unknown argument, one of ours, or a value of a wrong type."""
    check_argument(name, value, trainer_args(), OURS, "trainer", where)


def parse_trainer_value(text: str) -> Value:
    """Return what a word on the command line stands for: YAML's scalars, and Python's None. Nothing is a string."""
    if text in ("", "None"):
        return None if text else ""
    return parse_scalar(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRange:
    """The numbers that an argument may be."""

    low: float
    high: float | None = None
    """None: no end."""
    low_is_out: bool = False
    """Whether ``low`` itself is refused."""
    high_is_out: bool = False

    def is_accepted(self, value: float) -> bool:
        """Tell whether a number is accepted."""
        above = value > self.low or (value == self.low and not self.low_is_out)
        return above and (self.high is None or value < self.high or (value == self.high and not self.high_is_out))


SHARE = AcceptedRange(low=0, high=1)
BELOW_ONE = AcceptedRange(low=0, high=1, high_is_out=True)
INNER_SHARE = AcceptedRange(low=0, high=1, low_is_out=True, high_is_out=True)
POSITIVE_SHARE = AcceptedRange(low=0, high=1, low_is_out=True)
NOT_NEGATIVE = AcceptedRange(low=0)
POSITIVE = AcceptedRange(low=0, low_is_out=True)
FROM_ONE = AcceptedRange(low=1)

OPTIMIZER = r"\w*Adam(W|ax)?|Adafactor|A?SGD|RMSprop|Rprop|Ada(delta|grad)|Lion|LAMB|LARS|Muon"
SCHEDULE = r"\w+LR"
PLATEAU = r"ReduceLROnPlateau"
DROPOUT = r"(Alpha|FeatureAlpha)?Dropout[123]?d?|(\w+_)?dropout[123]?d?|DropPath|StochasticDepth|DropBlock\w*"
RECURRENT = r"LSTM|GRU|RNN|Transformer\w*|MultiheadAttention|scaled_dot_product_attention"
NORM = r"\w*Norm[123]?d?"
FOCAL = r"\w*[fF]ocal\w*"
WINDOW = r"\w*Conv\w*|\w*Pool\w*"
LOADER = r"\w*DataLoader"

RULES: tuple[tuple[str, str, AcceptedRange], ...] = (
    (OPTIMIZER, r"betas|momentum|dampening|alpha|rho", BELOW_ONE),
    (OPTIMIZER, r"eps", POSITIVE),
    (OPTIMIZER, r"lr|weight_decay|lr_decay|lambd|momentum_decay", NOT_NEGATIVE),
    (DROPOUT, r"p|drop_prob|dropout_p", BELOW_ONE),
    (RECURRENT, r"dropout|dropout_p", BELOW_ONE),
    (NORM, r"momentum", SHARE),
    (NORM, r"eps", POSITIVE),
    (r"CrossEntropyLoss|cross_entropy|\w*LabelSmoothing\w*", r"label_smoothing|smoothing", SHARE),
    (FOCAL, r"alpha", SHARE),
    (FOCAL, r"gamma", NOT_NEGATIVE),
    (r"Tversky\w*", r"alpha|beta", SHARE),
    (r"HuberLoss|huber_loss", r"delta", POSITIVE),
    (r"SmoothL1Loss|smooth_l1_loss", r"beta", NOT_NEGATIVE),
    (r"Triplet\w+|triplet\w+", r"margin|eps", POSITIVE),
    (r"CosineEmbeddingLoss|cosine_embedding_loss", r"margin", AcceptedRange(low=-1, high=1)),
    (r"C?ELU|c?elu", r"alpha", POSITIVE),
    (r"LeakyReLU|leaky_relu", r"negative_slope", NOT_NEGATIVE),
    (PLATEAU, r"factor", INNER_SHARE),
    (PLATEAU, r"patience|cooldown|min_lr|eps|threshold", NOT_NEGATIVE),
    (r"OneCycleLR", r"pct_start", SHARE),
    (r"OneCycleLR|CyclicLR", r"base_momentum|max_momentum", BELOW_ONE),
    (r"OneCycleLR", r"div_factor|final_div_factor|max_lr", POSITIVE),
    (r"ConstantLR", r"factor", SHARE),
    (r"LinearLR", r"start_factor", POSITIVE_SHARE),
    (r"LinearLR", r"end_factor", SHARE),
    (SCHEDULE, r"gamma", POSITIVE_SHARE),
    (rf"{SCHEDULE}|CosineAnnealingWarmRestarts", r"step_size|T_max|T_0|T_mult|total_iters|total_steps", FROM_ONE),
    (rf"{SCHEDULE}|CosineAnnealingWarmRestarts", r"eta_min|base_lr|max_lr", NOT_NEGATIVE),
    (LOADER, r"batch_size|prefetch_factor", FROM_ONE),
    (LOADER, r"num_workers", NOT_NEGATIVE),
    (r"Trainer", r"accumulate_grad_batches|max_epochs|check_val_every_n_epoch", FROM_ONE),
    (r"Trainer", r"limit_\w+_batches|overfit_batches|val_check_interval", SHARE),
    (r"Trainer", r"gradient_clip_val", NOT_NEGATIVE),
    (r"EarlyStopping", r"patience|min_delta", NOT_NEGATIVE),
    (r"clip_grad_norm_|clip_gradients", r"max_norm|gradient_clip_val", POSITIVE),
    (r"\w*(EMA|Ema|ExponentialMovingAverage)\w*", r"decay|beta", BELOW_ONE),
    (r"train_test_split", r"test_size|train_size", INNER_SHARE),
    (r"ColorJitter", r"hue", AcceptedRange(low=0, high=0.5)),
    (r"ColorJitter", r"brightness|contrast|saturation", NOT_NEGATIVE),
    (r"Random\w+", r"p", SHARE),
    (WINDOW, r"kernel_size|stride|dilation|groups", FROM_ONE),
    (WINDOW, r"padding", NOT_NEGATIVE),
    (r"gumbel_softmax", r"tau", POSITIVE),
)
"""Callee, parameter, and what it takes; the first that fits counts.

Where a function takes more than trains at all, as a dropout of 1, the range is that which trains.
"""

_COMPILED = tuple((re.compile(callee), re.compile(parameter), accepted) for callee, parameter, accepted in RULES)


def find_accepted_range(callee: str, parameter: str) -> AcceptedRange | None:
    """Return what ``Adam`` takes as ``betas``; None where the table does not have it."""
    for callees, parameters, accepted in _COMPILED:
        if parameters.fullmatch(parameter) and callees.fullmatch(callee):
            return accepted
    return None
