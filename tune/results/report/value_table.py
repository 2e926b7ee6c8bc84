"""The hardcoded values against the best: a row a constant, and the same as a diff of the source that was searched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tune.errors import ApplyError
from tune.experiment.open import StoredExperiment
from tune.promotion.constant import Constant
from tune.promotion.find.literals import Unknown
from tune.promotion.resolve import PromotedConstant
from tune.promotion.source_edit import build_diff, rewrite_sources
from tune.results.source_values import as_source_value
from tune.space.conditions import describe_condition
from tune.space.dimensions import describe_dimension

NO_VALUE = "-"
"""Of a constant that keeps its hardcoded value, since its condition does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRow:
    """A constant in words."""

    name: str
    place: str
    """``lit/digits.py:16``."""
    hardcoded: str
    best: str
    changed: bool
    searched: str
    """Its range, and its condition where it has one."""


def build_value_rows(experiment: StoredExperiment, promoted: Sequence[PromotedConstant]) -> list[ValueRow]:
    """Return a row for each constant of the space."""
    best = experiment.chosen
    rows = []
    for item in promoted:
        condition = experiment.space.conditions.get(item.key)
        held = best is not None and item.key in best.values
        value = best.values[item.key] if best is not None and held else None
        rows.append(
            ValueRow(
                name=item.key,
                place=item.constant.where,
                hardcoded=describe_value(experiment.baseline_value(item)),
                best=describe_value(value) if held else NO_VALUE,
                changed=held and describe_value(value) != describe_value(experiment.baseline_value(item)),
                searched=describe_dimension(item.dimension)
                + (f"; when {describe_condition(condition)}" if condition else ""),
            )
        )
    return rows


def source_diff(experiment: StoredExperiment, promoted: Sequence[PromotedConstant]) -> str:
    """Return what the best values change in the source; empty where nothing does, or no diff can say it."""
    best = experiment.chosen
    if best is None or best.is_baseline:
        return ""
    wanted = {
        item.constant: as_source_value(best.values[item.key], item)
        for item in promoted
        if isinstance(item.constant, Constant) and item.key in best.values
    }
    try:
        return build_diff(rewrite_sources(experiment.snapshot.stored_program, wanted))
    except ApplyError:
        return ""


def describe_value(value: object) -> str:
    """Return a value as people read it."""
    if isinstance(value, Unknown):
        return value.text
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def describe_values(values: Mapping[str, object]) -> str:
    """Return constants on one line: ``LR=0.0044, BATCH_SIZE=16``."""
    return ", ".join(f"{name.rstrip('=')}={describe_value(value)}" for name, value in values.items())
