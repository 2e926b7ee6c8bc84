"""The numbers that functions and classes of libraries accept: ``Adam`` takes `betas` from 0 to below 1."""

import re
from dataclasses import dataclass


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
FROM_TWO = AcceptedRange(low=2)

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
    (r"\w*KFold|TimeSeriesSplit", r"n_splits", FROM_TWO),
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
