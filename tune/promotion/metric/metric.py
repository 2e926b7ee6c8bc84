"""A metric, and what its name tells: which way it is better, and whether it is that of validation or of training."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Mode = Literal["min", "max"]
CALLBACKS = ("ModelCheckpoint", "EarlyStopping")
"""Those that monitor a metric, the first counts most."""
JUDGED = re.compile(r"val\d*|valid|validat\w+|dev|eval\w*")
"""Words of what is logged in validation."""
TRAINING = frozenset({"train", "training"})
STAGES = TRAINING | {"step", "epoch"}
BY_STEP = "_step"
"""The end of what Lightning, or a program, calls a value of one step."""
WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
HIGH = frozenset({"accuracy", "acc", "f1", "auc", "auroc", "auprc", "iou", "miou", "jaccard", "dice", "map", "ap"}) | {
    *("precision", "recall", "sensitivity", "specificity", "score", "r2", "psnr", "ssim", "bleu", "rouge", "kappa"),
    *("mcc", "top1", "top5", "correct", "hit", "ndcg", "mrr", "spearman", "pearson", "corr", "reward", "return"),
}
"""Words of metrics of which more is better."""
ONE_SIDED = frozenset({"precision", "recall", "sensitivity", "specificity"})
"""Those that a model raises by what lowers another: one that calls all things positive recalls them all."""
BEHIND = ONE_SIDED | {"best"}
"""Words of what comes behind other metrics; the best so far of one hides what an epoch is worth."""
LOW = frozenset({"loss", "ce", "nll", "bce", "crossentropy", "entropy", "mse", "mae", "rmse", "rmsle", "mape"}) | {
    *("error", "err", "perplexity", "ppl", "wer", "cer", "kl", "kld", "fid", "cost", "lpips", "brier", "loss1"),
    *("absrel", "distance", "dist", "deviation", "rel", "ece"),
}
"""Words of metrics of which less is better; they count more: ``acc_loss`` is a loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A name given to ``self.log``."""

    name: str
    mode: Mode | None
    """None: the name does not tell."""
    origin: str
    """Where it is from: ``ModelCheckpoint, train.py:30``."""
    others: tuple[str, ...] = ()
    """What else is logged in validation."""
    rivals: tuple[str, ...] = ()
    """Where it may be another one as well, all of them: losses of a GAN, or what callbacks in two arms monitor."""

    @property
    def callback(self) -> str:
        """The class of the callback that monitors it; else a part of its origin."""
        return self.origin.partition(",")[0]


def choose_of_logged(
    tags: Sequence[str], origin: str, logged_in: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Metric:
    """Return the metric that a program is judged by which logs ``tags``, and nothing says more; there is at least one.

    What is logged in validation counts. ``logged_in``: what the last fit logs, by stage; without it the words of a name
    tell. Where nothing is validated, what it may be has rivals: by training, or by what ``Trainer.test`` alone logs, no
    search is judged unasked, but by the one loss that is trained.
    """
    validated = {*logged_in.get("val", ()), *logged_in.get("validate", ())}
    tested = {*logged_in.get("test", ())} - validated - {*logged_in.get("train", ())}
    judged = _select_judged([tag for tag in tags if tag in validated] if logged_in else tags)
    if logged_in:
        judged = judged or [tag for tag in tags if tag in validated]
    rivals: tuple[str, ...] = ()
    if judged:
        name = select_preferred_tag(judged)
    else:
        of_fit = [tag for tag in tags if tag not in tested and (not logged_in or tag in logged_in.get("train", ()))]
        free = _select_distinct(of_fit)
        losses = [tag for tag in free if _is_whole_loss(tag)]
        name = losses[0] if losses else select_preferred_tag(free or tags)
        if len(free) > 1 and not (losses and all(mode_of(tag) == "min" for tag in free)):
            rivals = (name, *(tag for tag in free if tag != name))
        if tested:
            rivals = tuple(
                dict.fromkeys((*(rivals or [name]), select_preferred_tag(tag for tag in tags if tag in tested)))
            )
    others = tuple(tag for tag in tags if tag != name)
    return Metric(name=name, mode=mode_of(name), origin=origin, others=others, rivals=rivals)


def _select_judged(tags: Sequence[str]) -> list[str]:
    """Return those that name validation, else those that name a test: it may be what is validated with."""
    judged = [tag for tag in tags if any(map(JUDGED.fullmatch, words_of(tag)))]
    return judged or [tag for tag in tags if "test" in words_of(tag)]


def _select_distinct(tags: Sequence[str]) -> list[str]:
    """Return tags whose name tells which way is better, if any does; of one value's steps and epochs the epochs."""
    told = [tag for tag in tags if mode_of(tag) is not None] or tags
    distinct: dict[frozenset[str], str] = {}
    for tag in sorted(told, key=lambda tag: tag.endswith(BY_STEP)):
        distinct.setdefault(frozenset(words_of(tag) - STAGES), tag)
    return list(distinct.values())


def choose_instead(logged: Sequence[str], origin: str, mode: Mode | None) -> Metric | None:
    """Return the metric of validation that a program is judged by where the one that was drafted is not logged.

    None where none of ``logged`` says by its name that it is of validation, and which way it is better. ``mode``: the
    only way that counts; None: either does.
    """
    found = choose_of_logged(logged, origin) if logged else None
    if found is None or found.mode is None or not any(map(JUDGED.fullmatch, words_of(found.name))):
        return None
    return found if mode in (None, found.mode) else None


def choose_monitored(found: Sequence[Metric]) -> Metric | None:
    """Return the metric that a program is judged by, of those that its callbacks monitor: the first of the first kind.

    What is logged in training counts behind all else: a search by it would choose what fits the training data best.
    """
    return min(found, key=lambda each: (is_of_training(each.name), CALLBACKS.index(each.callback)), default=None)


def select_preferred_tag(tags: Iterable[str]) -> str:
    """Return the first tag of which more is better, else the first of which less is, else the first.

    What is logged at each step comes behind what is logged of an epoch, a part of a loss behind the whole, and recall
    behind accuracy.
    """
    by_mode: dict[Mode | None, str] = {}
    for tag in sorted(
        tags, key=lambda tag: (tag.endswith(BY_STEP), bool(words_of(tag) & BEHIND), not _is_whole_loss(tag))
    ):
        by_mode.setdefault(mode_of(tag), tag)
    return next(by_mode[mode] for mode in ("max", "min", None) if mode in by_mode)


def _is_whole_loss(tag: str) -> bool:
    """Tell ``val_loss`` of ``val_kl_loss``, which is one part of it."""
    return {word for word in words_of(tag) - STAGES if not JUDGED.fullmatch(word)} == {"loss"}


def words_of(tag: str) -> set[str]:
    """Return the words of a tag in small letters: ``ValLoss`` and ``val_loss`` have the same."""
    return {word.lower() for word in WORD.findall(tag)}


def mode_of(name: str) -> Mode | None:
    """Return which way a metric is better, as its name says; None where it does not."""
    words = words_of(name)
    words |= {word.rstrip("0123456789") for word in words}
    if words & LOW:
        return "min"
    return "max" if words & HIGH else None


def mode_of_callback(name: str, told: object, *, is_given: bool) -> Mode | None:
    """Return the mode of a callback that monitors ``name``; None where only running the program tells what is given.

    None, too, where the name says otherwise: ``EarlyStopping("val_loss", mode="max")`` may be a mistake.
    """
    if told in ("min", "max"):
        mode: Mode = "min" if told == "min" else "max"
        return None if mode_of(name) not in (None, mode) else mode
    return mode_of(name) or (None if is_given else "min")  # Lightning's default, but for a name that says otherwise


def is_of_training(name: str) -> bool:
    """Tell whether a metric says by its name that it is logged in training alone."""
    words = words_of(name)
    return bool(words & TRAINING) and not any(map(JUDGED.fullmatch, words))
