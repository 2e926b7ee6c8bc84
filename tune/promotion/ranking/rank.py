"""The kinds of hyperparameters, by the words of a name and by what takes a value."""

import enum
import re
from functools import lru_cache

from tune.space.accepted_ranges import DROPOUT, LOADER, OPTIMIZER, RECURRENT, find_accepted_range


class Rank(enum.IntEnum):
    """Kinds of hyperparameters, those first that make the most of a difference."""

    LEARNING_RATE = enum.auto()
    BATCH_SIZE = enum.auto()
    WIDTH = enum.auto()
    DROPOUT = enum.auto()
    WEIGHT_DECAY = enum.auto()
    SCHEDULE = enum.auto()
    """And all else of optimizers and losses."""
    EPOCHS = enum.auto()
    OTHER = enum.auto()
    """A number that the model takes."""


WORDS: tuple[tuple[Rank, frozenset[str]], ...] = (
    (
        Rank.SCHEDULE,
        frozenset({"momentum", "beta", "betas", "beta1", "beta2", "b1", "b2", "gamma", "warmup", "patience", "factor"})
        | frozenset(
            {"schedule", "scheduler", "clip", "smoothing", "temperature", "margin", "optimizer", "optim", "opt"}
        )
        | frozenset({"activation", "act", "accumulate", "accumulation", "ema", "loss", "tau"}),
    ),
    (Rank.WEIGHT_DECAY, frozenset({"wd", "l2"})),
    (Rank.LEARNING_RATE, frozenset({"lr", "lrs"})),
    (Rank.BATCH_SIZE, frozenset({"bs", "batchsize"})),
    (Rank.DROPOUT, frozenset({"dropout", "drop", "droprate", "pdrop"})),
    (
        Rank.WIDTH,
        frozenset({"hidden", "width", "widths", "dim", "dims", "channels", "units", "features", "embed", "embedding"})
        | frozenset({"embd", "depth", "layers", "blocks", "heads", "nhead", "filters", "neurons", "latent", "planes"}),
    ),
    (Rank.EPOCHS, frozenset({"epochs", "epoch"})),
)
"""Any of these words in a name, or all of a pair below; the first that fits counts."""
PAIRS: tuple[tuple[Rank, frozenset[str]], ...] = (
    (Rank.WEIGHT_DECAY, frozenset({"weight", "decay"})),
    (Rank.SCHEDULE, frozenset({"step", "size"})),
    (Rank.SCHEDULE, frozenset({"lr", "decay"})),
    (Rank.SCHEDULE, frozenset({"min", "lr"})),
    (Rank.SCHEDULE, frozenset({"lr", "milestones"})),
    (Rank.LEARNING_RATE, frozenset({"learning", "rate"})),
    (Rank.LEARNING_RATE, frozenset({"learn", "rate"})),
    (Rank.BATCH_SIZE, frozenset({"batch", "size"})),
    (Rank.WIDTH, frozenset({"d", "model"})),
    (Rank.WIDTH, frozenset({"kernel", "size"})),
    *((Rank.WIDTH, frozenset({layer, "size"})) for layer in ("lin", "linear", "fc", "dense", "layer", "conv", "mlp")),
    (Rank.EPOCHS, frozenset({"max", "steps"})),
)
RECEIVERS: tuple[tuple[Rank, str, str], ...] = (
    (Rank.LEARNING_RATE, OPTIMIZER, r"lr"),
    (Rank.LEARNING_RATE, r"OneCycleLR|CyclicLR", r"max_lr|base_lr"),
    (Rank.BATCH_SIZE, LOADER, r"batch_size"),
    (Rank.DROPOUT, DROPOUT, r"p|drop_prob|dropout_p"),
    (Rank.DROPOUT, RECURRENT, r"dropout|dropout_p"),
    (Rank.WEIGHT_DECAY, OPTIMIZER, r"weight_decay"),
    (Rank.WIDTH, r"(Lazy)?Linear|(Lazy)?Conv\w*", r"out_features|out_channels|kernel_size"),
    (
        Rank.WIDTH,
        rf"{RECURRENT}|Embedding",
        r"\w*hidden_size|num_layers|nhead|num_heads|d_model|dim_feedforward|em\w+_dim",
    ),
    (Rank.EPOCHS, r"Trainer", r"max_epochs|max_steps"),
)
"""What the functions of torch and Lightning take."""
MACHINERY = frozenset({"Trainer", "EarlyStopping", "ModelCheckpoint"})
PROMISING_OF_MACHINERY = re.compile(r"max_epochs|max_steps|gradient_clip_val|accumulate_grad_batches|patience")


@lru_cache(maxsize=4096)
def rank_of_words(words: frozenset[str]) -> Rank | None:
    """Return the kind that the words of a name tell."""
    for rank, pair in PAIRS:
        if pair <= words:
            return rank
    return next((rank for rank, known in WORDS if known & words), None)


@lru_cache(maxsize=4096)
def rank_of_receiver(callee: str, parameter: str) -> Rank | None:
    """Return the kind that a parameter of a function of torch or Lightning tells."""
    for rank, callees, parameters in RECEIVERS:
        if re.fullmatch(parameters, parameter) and re.fullmatch(callees, callee):
            return rank
    if callee in MACHINERY and not PROMISING_OF_MACHINERY.fullmatch(parameter):
        return None
    known = find_accepted_range(callee, parameter) is not None and not re.fullmatch(f"{LOADER}|Random\\w+", callee)
    return Rank.SCHEDULE if known and not re.fullmatch(r"train_test_split|\w*Conv\w*|\w*Pool\w*", callee) else None
