"""A first range for a constant, from its name and the value that the source holds. It always contains that value."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from tune.space.accepted_ranges import AcceptedRange, find_accepted_range
from tune.space.dimensions import Choice, Dimension, FloatRange, IntRange, Value, is_in_dimension, is_int, is_number
from tune.space.parse_dimension import MAX_INT

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

NO_RATE = frozenset(
    {"decay", "gamma", "step", "steps", "patience", "factor", "schedule", "scheduler", "warmup", "drop"}
)
"""Words that make another thing of a learning rate: ``LR_PATIENCE``."""
CHANCES = frozenset({"dropout", "drop", "droprate", "pdrop", "p", "prob", "probability"})
MOMENTUM = (0.5, 1)
"""A plain ``beta`` outside of it is the weight of a term of a loss."""
MOMENTA = frozenset({"momentum", "beta", "beta1", "beta2", "b1", "b2"})
NEAR_ONE = frozenset({"gamma", "decay", "discount"})
"""Words of factors that are applied again and again: what counts is how far from 1 they are."""
DEPTHS = frozenset({"layer", "layers", "depth", "block", "blocks"})
"""Words of counts, which are searched one by one; below LARGEST_DEPTH, and without any of WIDTHS."""
LARGEST_DEPTH = 64
HEADS = frozenset({"head", "heads", "nhead", "nheads"})
WIDTHS = frozenset({"dim", "dims", "hidden", "width", "channels", "units", "features", "filters", "neurons"}) | {
    *("embed", "embd", "emb", "embedding", "latent", "planes", "size", "ff", "feedforward")
}
"""Words of sizes, of which halves and doubles fit where others do not: attention divides them by its heads."""
NO_SHARES = frozenset({"clip", "clipping", "temperature", "margin", "noise", "std", "sigma", "scale", "gain"})
"""Words of numbers that may be above 1."""
TERM_WEIGHTS = frozenset({"coef", "coeff", "coefficient", "lambda", "lam", "weight", "weighting"})
"""Words of what a term of a loss is multiplied by: orders of magnitude tell."""
COUNTED = frozenset(
    {"weight", "weighting", "num", "n", "epoch", "epochs", "step", "steps", "iters", "warmup", "anneal"}
)
"""Words beside which such a word tells no float: ``beta_warmup_epochs``, ``num_lambda``, ``class_weight``."""
AT_MOST_1 = "half to twice, at most 1"
FROM_ONE = "up to four times"
EPOCHS = frozenset({"epochs", "epoch", "patience"})
SEEDS = frozenset({"seed", "random_state"})
STAGES = frozenset({"train", "training", "val", "valid", "validation", "test", "eval", "predict"})
"""Names that say nothing alone: what stands before them does."""

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
STYLES = (
    {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"},
    {name: name for name in OPTIMIZERS},
    {name: name.upper() for name in OPTIMIZERS},
)
"""The usual optimizers as programs write them: as torch does, small, in capitals."""

LARGE = 8
"""From here on an int is a size, which is searched by doubling; below it is a count."""
TINY = 0.05
"""Below this a float is searched by orders of magnitude."""
NEARLY_ONE = (0.99, 0.999, 0.9999, 0.99999, 0.999999)
"""Ends of a range that must not reach 1."""
LARGEST = 1e300
"""A float beyond it has no ten times."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to write into a space file."""

    dimension: Dimension | None
    """None: only the user can tell."""
    remark: str
    """Half a sentence for a comment: why this range, or what is to be written."""


def suggest_range(name: str, value: Value, receivers: Iterable[tuple[str, str]] = ()) -> Suggestion:
    """Return a range for the constant ``name`` (``LR``, ``Adam.lr@42``, ``--batch-size``) around its value.

    ``receivers``: the parameters that take it, such as (``Adam``, ``betas``). The range holds what all of them accept.
    """
    suggestion = _suggest_by_name(name, value)
    if not is_number(value):
        return suggestion
    for callee, parameter in receivers:
        accepted = find_accepted_range(callee, parameter)
        if accepted is not None and accepted.is_accepted(value):
            if suggestion.remark == AT_MOST_1 and accepted.high is None:
                suggestion = _half_to_twice(value)
            held = _check_suggestion(_clip_to_accepted(suggestion, accepted, value), value)
            if held != suggestion:
                remark = held.remark.removesuffix(", at most 1")
                suggestion = replace(held, remark=f"{remark}, as {callee}.{parameter} accepts it")
    return suggestion


def _clip_to_accepted(suggestion: Suggestion, accepted: AcceptedRange, value: float) -> Suggestion:
    """Return the range without what is not accepted."""
    match suggestion.dimension:
        case IntRange(low=0, log=False) if value == 0 and accepted.high is not None:  # a float that was written short
            high = 0.99 if accepted.high_is_out else accepted.high / 2
            return Suggestion(FloatRange(low=0.0, high=high), "0 tells no scale: check this range")
        case FloatRange() as held:
            low, high = _accepted_low(held.low, accepted, value), _accepted_high(held.high, accepted, value)
            return replace(suggestion, dimension=replace(held, low=low, high=high)) if low < high else suggestion
        case IntRange() as held:
            lowest = max(held.low, math.ceil(accepted.low))
            return replace(suggestion, dimension=replace(held, low=lowest)) if lowest < held.high else suggestion
        case _:
            return suggestion


def _accepted_low(low: float, accepted: AcceptedRange, value: float) -> float:
    if accepted.is_accepted(low):
        return low
    return _scale_decimal(value, 0.1) if accepted.low_is_out else accepted.low


def _accepted_high(high: float, accepted: AcceptedRange, value: float) -> float:
    if accepted.high is None or accepted.is_accepted(high):
        return high
    return next((bound for bound in NEARLY_ONE if value < bound), value) if accepted.high_is_out else accepted.high


def _suggest_by_name(name: str, value: Value) -> Suggestion:
    words = words_of(name)
    match value:
        case bool():
            return Suggestion(Choice(options=(False, True)), "off and on")
        case str():
            for style in STYLES:
                if value in style.values():
                    return Suggestion(Choice(options=tuple(style.values())), "take out what the program does not know")
            return Suggestion(None, "write the other names beside it")
        case int() if abs(value) <= MAX_INT // 4:
            return _check_suggestion(
                _suggest_rate(words, value) or _suggest_float_written_short(words, value) or _suggest_int(words, value),
                value,
            )
        case float() if math.isfinite(value) and (value == 0 or 1 / LARGEST < abs(value) < LARGEST):
            return _check_suggestion(
                _suggest_rate(words, value) or _suggest_share(words, value) or _suggest_float(words, value), value
            )
        case None:
            return Suggestion(None, "say what it may be beside None")
        case tuple() | list() | dict():
            return Suggestion(None, "write other values of the same form beside it")
        case _:
            return Suggestion(None, "no range can be told from a number of this size")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of the last part: ``weight, decay`` of ``CFG['optim']['weight_decay']``."""
    parts = re.findall(r"\w+", name.partition("@")[0].replace("-", "_"))
    n = 2 if parts and parts[-1].lower() in STAGES else 1  # batch_size.train
    words = [word.lower() for part in parts[-n:] for word in WORD.findall(part)]
    numbered = [f"{word}{number}" for word, number in pairwise(words) if number.isdecimal()]  # b1
    return (*words, *numbered)


def _check_suggestion(suggestion: Suggestion, value: float) -> Suggestion:
    held = suggestion.dimension
    is_decades = isinstance(held, FloatRange) and held.log
    assert held is None or is_in_dimension(held, value) or (value == 0 and is_decades), f"{value} is not in {held}"
    return suggestion


def _suggest_rate(words: tuple[str, ...], value: float) -> Suggestion | None:
    """Learning rates and weight decays, by orders of magnitude."""
    decays = "wd" in words or "l2" in words or {"weight", "decay"} <= {*words}
    decays |= "decay" in words and not {*OPTIMIZERS}.isdisjoint(words) and MOMENTA.isdisjoint(words)
    learns = ("lr" in words or {"learning", "rate"} <= {*words} or {"learn", "rate"} <= {*words}) and not NO_RATE & {
        *words
    }
    if not (decays or learns) or value < 0 or (is_int(value) and value > 1):
        return None
    if value == 0:
        high = 1e-2 if decays else 1e-1
        return Suggestion(
            FloatRange(low=1e-6, high=high, log=True), "0 has no order of magnitude: trial 0 alone runs it"
        )
    return Suggestion(_decades_around(value), "a tenth to ten times")


def _suggest_share(words: tuple[str, ...], value: float) -> Suggestion | None:
    """Probabilities and momenta: between 0 and 1, on a linear scale."""
    if not 0 <= value <= 1:
        return None
    if "keep" in words:
        return Suggestion(FloatRange(low=min(0.3, value), high=1.0), "a share that is kept")
    if CHANCES & {*words}:
        high = next((bound for bound in (0.5, 0.7, 0.95) if value < 0.9 * bound), 1.0)
        return Suggestion(FloatRange(low=0.0, high=high), "a probability")
    is_small = value == 0 or TINY / 10 < value <= 0.25
    if is_small and ("smoothing" in words or ("warmup" in words and isinstance(value, float))):
        return Suggestion(FloatRange(low=0.0, high=0.3), "a share that is small")
    is_momentum = MOMENTA & {*words} or {"ema", "decay"} <= {*words}
    if is_momentum and value < 1 and not _is_weight_of_term(words, value):
        low = next((low for bound, low in ((0.99, 0.9), (0.89, 0.8), (0.69, 0.5)) if value > bound), 0.0)
        return Suggestion(FloatRange(low=low, high=_below_one(value)), "below 1")
    if value < 1 and (value > 0.9 or (value == 0.9 and NEAR_ONE & {*words})) and not NO_SHARES & {*words}:
        gap = 1 - Decimal(repr(value))
        low, high = max(0.8, float(1 - 10 * gap)), float(1 - gap / 10)
        return Suggestion(FloatRange(low=low, high=high), "close to 1") if high < 1 else None
    return None


def _is_weight_of_term(words: tuple[str, ...], value: float) -> bool:
    is_beta = "beta" in words and not {"momentum", "ema", "beta1", "beta2"} & {*words} and value != 0
    return bool(TERM_WEIGHTS & {*words}) or (is_beta and not MOMENTUM[0] <= value < MOMENTUM[1])


def _below_one(value: float) -> float:
    """Return an end above the value that is below 1, where there is one."""
    return next((bound for bound in NEARLY_ONE if value < bound), 1.0)


def _suggest_float_written_short(words: tuple[str, ...], value: int) -> Suggestion | None:
    """Return the range for an int that is a float written short: a weight of a term, or a share.

    Of 0 or 1 only an end like 0.7 says that it is a share. An int from 2 on gets whole numbers, as every int does.
    """
    if value > 0 and _is_weight_of_term(words, value) and not COUNTED & {*words}:
        ints = IntRange(low=max(1, value // 10), high=min(value * 10, MAX_INT), log=True)
        return Suggestion(_decades_around(1.0) if value == 1 else ints, "a tenth to ten times")
    suggestion = _suggest_share(words, value)
    held = None if suggestion is None else suggestion.dimension
    whole = isinstance(held, FloatRange) and not held.log and {held.low, held.high} <= {0, 1}
    return None if whole else suggestion


def _suggest_int(words: tuple[str, ...], value: int) -> Suggestion:
    if SEEDS & {*words, "_".join(words)}:
        return Suggestion(
            IntRange(low=min(0, value), high=max(99, value)), "a seed: this finds luck, not a better program"
        )
    if "batch" in words or "bs" in words or "batchsize" in words:
        return _suggest_size(value, 2, by_doubling=True)
    if EPOCHS & {*words} and value > 0:
        return Suggestion(IntRange(low=max(1, value // 2), high=value * 2), "half to twice")
    if HEADS & {*words} and value > 0:
        return _suggest_doubles(value, max(4, value * 2))
    if DEPTHS & {*words} and not WIDTHS - {"hidden"} & {*words} and 0 < value < LARGEST_DEPTH:
        remark = "half to twice" if value > 1 else FROM_ONE
        return Suggestion(IntRange(low=max(1, value // 2), high=max(4, value * 2)), remark)
    if value == 0 and "warmup" in words and not EPOCHS & {*words}:
        return Suggestion(IntRange(low=0, high=1000), "0 tells no scale: check this range")
    if value >= LARGE:
        return _suggest_size(value, 4, by_doubling=bool(WIDTHS & {*words}) or {"d", "model"} <= {*words})
    if value > 0:
        return Suggestion(IntRange(low=1, high=max(4, value * 2)), "up to twice" if value > 1 else FROM_ONE)
    if value == 0:
        return Suggestion(IntRange(low=0, high=4), "0 tells no scale: check this range")
    return Suggestion(IntRange(low=value * 2, high=0), "a negative number tells no scale: check this range")


def _suggest_size(value: int, times: int, *, by_doubling: bool) -> Suggestion:
    """Return powers of two from a quarter to ``times`` the value, or its halves and doubles, else the ints between."""
    low, high, often = max(1, value // 4), max(value * times, 4), "twice" if times == 2 else "four times"
    if value < 1:
        return Suggestion(IntRange(low=value * 2, high=4), "tells no scale: check this range")
    if value & (value - 1) == 0:
        powers = tuple(2**exponent for exponent in range(low.bit_length() - 1, high.bit_length()))
        return Suggestion(Choice(options=powers), f"powers of two, a quarter to {often}")
    if by_doubling and value % 4 == 0:
        return _suggest_doubles(value, high)
    return Suggestion(IntRange(low=low, high=high, log=True), f"a quarter to {often}")


def _suggest_doubles(value: int, high: int) -> Suggestion:
    """Return what halving it twice and doubling it up to ``high`` gives, as far as these are whole numbers."""
    smaller = [value // part for part in (4, 2) if value % part == 0]
    larger = [value * 2**exponent for exponent in range(high.bit_length()) if value * 2**exponent <= high]
    return Suggestion(Choice(options=(*smaller, *larger)), "halves and doubles")


def _half_to_twice(value: float) -> Suggestion:
    return Suggestion(FloatRange(low=_scale_decimal(value, 0.5), high=_scale_decimal(value, 2)), "half to twice")


def _suggest_float(words: tuple[str, ...], value: float) -> Suggestion:
    if value == 0:
        return Suggestion(FloatRange(low=0.0, high=1.0), "0 tells no scale: check this range")
    if value < 0:
        return Suggestion(
            FloatRange(low=_scale_decimal(value, 2), high=0.0), "a negative number tells no scale: check this range"
        )
    if TINY < value <= 1 and NO_SHARES & {*words}:
        return _half_to_twice(value)
    if TINY < value <= 1 and not _is_weight_of_term(words, value):
        held = FloatRange(low=_scale_decimal(value, 0.5), high=min(1.0, _scale_decimal(value, 2)))
        return Suggestion(held, AT_MOST_1)
    return Suggestion(_decades_around(value), "a tenth to ten times")


def _decades_around(value: float) -> FloatRange:
    return FloatRange(low=_scale_decimal(value, 0.1), high=_scale_decimal(value, 10), log=True)


def _scale_decimal(value: float, factor: float) -> float:
    """Multiply as people do: a tenth of 0.003 is 0.0003, not 0.00030000000000000003."""
    return float(Decimal(repr(value)) * Decimal(repr(factor)))
