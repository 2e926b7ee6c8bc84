"""The schedulers by their names in a space file."""

from collections.abc import Sequence
from typing import Any

from tune.promotion.program import Program
from tune.promotion.resolve import PromotedConstant
from tune.search.schedulers.asha import Asha, grace_period_of, latest_grace_period_of
from tune.search.schedulers.hyperband import HyperBand
from tune.search.schedulers.median import MedianStopping
from tune.search.schedulers.pbt import PbtExploit, PopulationBasedTraining
from tune.search.schedulers.scheduler import TrialScheduler
from tune.search.schedulers.trial_length import count_epochs
from tune.search.study.study import SearchStudy
from tune.space.space import Space

NOT_OF_THE_RULE = frozenset({"metric", "resample_probability"})
"""Arguments that say something to others: which metric, and how heirs mutate."""


def build_scheduler(space: Space, program: Program, n_whole: int | None, *, is_mean: bool = False) -> TrialScheduler:
    """Return what decides which trials go on.

    ``n_whole``: how many values a whole trial reports, if known; ``is_mean``: each is the mean of the fits so far.
    """
    arguments: dict[str, Any] = {
        name: value for name, value in space.settings.scheduler_args.items() if name not in NOT_OF_THE_RULE
    }
    if not space.stops_early:
        return TrialScheduler()
    match space.settings.scheduler:
        case "asha":
            if "grace_period" not in arguments:
                arguments |= {"grace_period": grace_period_of(n_whole), "latest": latest_grace_period_of(n_whole)}
            return Asha(space.mode, is_mean=is_mean, **arguments)
        case "median":
            return MedianStopping(space.mode, **arguments)
        case "hyperband":
            return HyperBand(space.mode, **{"max_t": count_epochs(space, program), **arguments})
        case "pbt":
            return PopulationBasedTraining(space.mode, seed=space.settings.seed, **arguments)
        case name:
            raise AssertionError(f"the space file let {name!r} pass")


def build_pbt_exploit(space: Space, promoted: Sequence[PromotedConstant], ledger: SearchStudy) -> PbtExploit:
    """Return what the members of a population take over."""
    arguments: dict[str, Any] = {
        name: value for name, value in space.settings.scheduler_args.items() if name == "resample_probability"
    }
    return PbtExploit(ledger, {item.key: item.dimension for item in promoted}, space.settings.seed, **arguments)
