"""The fits of a program that a trial's score comes from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tune.promotion.metric.metric import is_of_training

Stage = Literal["train", "val", "validate", "test"]
"""Of the program: training, validation within ``Trainer.fit``, ``Trainer.validate``, ``Trainer.test``."""


OUTSIDE: Mapping[str, Stage] = {"validate": "validate", "test": "test"}
"""The stages outside ``Trainer.fit``, by the names of Lightning's functions."""


FitsRule = Literal["mean", "last"] | int
"""Which fits count where several log the metric: all, the last, or one of them by its number from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFits:
    """The fits that a trial's score comes from."""

    numbers: tuple[int, ...]
    """From 1, ascending; the score is the mean of several."""
    n_fits: int
    """Of the program, those included that do not count."""
    module: str
    """The name of the LightningModule's class that they train."""
    stage: Stage
    """Where the metric is logged."""
    max_epochs: int | None = None
    """Of each of them; None where the program says nothing."""
    is_of_last_batch: bool = False
    """Whether the value is that of the last batch of an epoch alone, for it is logged with ``on_step``."""

    @property
    def is_mean(self) -> bool:
        """Whether the score is a mean of several fits."""
        return len(self.numbers) > 1

    @property
    def n_reports(self) -> int | None:
        """How many values a whole trial reports; None where nothing says."""
        return len(self.numbers) if self.is_mean else self.max_epochs if self.stage in ("train", "val") else 1

    def describe_score(self, metric: str) -> str | None:
        """Return where the score comes from, in words; None where a program fits once and validates within."""
        if self.is_mean:
            *first, last = map(str, self.numbers)
            fits = f"{len(self.numbers)} fits of {self.module}"
            if len(self.numbers) < self.n_fits:
                fits = f"the fits {', '.join(first)} and {last} of {self.n_fits} ({self.module})"
            return f"score: the mean of {metric} over {fits}"
        of_fits = f" of fit {self.numbers[0]} of {self.n_fits} ({self.module})" if self.n_fits > 1 else ""
        outside = f", which Trainer.{self.stage} alone logs" if self.stage in OUTSIDE else ""
        return f"score: {metric}{of_fits}{outside}" if of_fits or outside else None

    def describe_doubt(self, metric: str) -> str | None:
        """Return a warning where the score is of one batch, of the test set, or of training alone; else None.

        A name such as ``train_loss`` says the last itself, and is warned of before anything is run.
        """
        if self.is_of_last_batch:
            what = f"{metric} is the value of the last batch of each epoch alone: it is logged for steps"
            return f"{what}; `self.log(..., on_epoch=True)` logs the mean of an epoch"
        if self.stage == "train" and not is_of_training(metric):
            what = f"{metric} is logged in training alone: a search by it chooses what fits the training data best"
            return f"{what}; `metric` may name one of validation"
        if self.stage != "test":
            return None
        what = f"{metric} is logged in Trainer.test alone: a search by it chooses what fits the test set best"
        return f"{what}, and no data is left that says how good that is; `metric` may name one of validation"

    def of_one_seed(self, n_seeds: int) -> "CountedFits":
        """Return the fits of a program that is executed once, of those of one that is executed with each seed."""
        n_fits = max(1, self.n_fits // n_seeds)
        numbers = tuple(number for number in self.numbers if number <= n_fits)
        return replace(self, numbers=numbers or (n_fits,), n_fits=n_fits)

    def as_json(self) -> dict[str, Any]:
        """Return what ``read_counted_fits`` reads."""
        return {name: value for name, value in asdict(self).items() if name != "is_of_last_batch" or value}


def read_counted_fits(data: object) -> CountedFits | None:
    """Return what ``as_json`` wrote; None where it did not."""
    match data:
        case {
            "numbers": [*numbers],
            "n_fits": int(n_fits),
            "module": str(module),
            "stage": "train" | "val" | "validate" | "test" as stage,
            "max_epochs": None | int() as max_epochs,
            **more,
        } if numbers and all(type(each) is int and each > 0 for each in numbers):
            return CountedFits(
                numbers=tuple(numbers),
                n_fits=n_fits,
                module=module,
                stage=stage,
                max_epochs=max_epochs,
                is_of_last_batch=more.get("is_of_last_batch") is True,  # older records have none
            )
    return None
