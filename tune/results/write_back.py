"""What it takes to put a trial's values back into the source, and what ``apply`` has written already."""

import contextlib
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from tune.errors import ApplyError, ExperimentError, ProgramError
from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import TrialResult
from tune.invocation import this_command
from tune.paths import ExperimentPaths, atomic_write, display_path, read_json, read_regular
from tune.promotion.constant import Constant
from tune.promotion.drift import Edited, Removed, Standing, Unchanged, find_drift
from tune.promotion.find.literals import Symbol, Unknown
from tune.promotion.options.declared_options import find_option, find_options
from tune.promotion.options.option import Option, OptionParser, option_words
from tune.promotion.options.option_values import option_in_force
from tune.promotion.program import Program
from tune.promotion.resolve import PromotedConstant, resolve_constants
from tune.promotion.source_edit import Rewrite, has_same_repr, restore_expressions, rewrite_configs, rewrite_sources
from tune.results.source_values import as_json, as_source_value
from tune.space.dimensions import FloatRange, Value, is_number, place_in
from tune.space.space import Script

WAIT_S = 10.0
"""For another `apply` to note what it writes: that takes milliseconds."""
Applied = dict[str, list[Value]]
"""By a constant's name in the space file every value that was written, as JSON has it."""


def read_applied(paths: ExperimentPaths) -> Applied:
    """Return what was noted; nothing where nothing was, or where it cannot be read."""
    try:
        found = read_json(read_regular(paths.applied_values))
    except (OSError, ValueError):
        return {}
    ours = isinstance(found, dict) and all(isinstance(values, list) for values in found.values())
    return found if ours else {}


def note_applied(paths: ExperimentPaths, values: Mapping[str, Value]) -> None:
    """Add what is about to be written; an experiment that cannot be written is left as it is."""
    with contextlib.suppress(OSError, Timeout), FileLock(paths.applied_lock, timeout=WAIT_S):
        noted = read_applied(paths)
        for key, value in values.items():
            if not is_applied(noted, key, value):
                noted.setdefault(key, []).append(as_json(value))
        with atomic_write(paths.applied_values) as aside:
            aside.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")


def is_applied(applied: Applied, key: str, value: Value) -> bool:
    """Tell whether a value was written for a constant."""
    return any(has_same_repr(each, as_json(value)) for each in applied.get(key, []))


@dataclass(frozen=True, slots=True)
class ConstantUpdate:
    """A promoted constant, the trial's value of it, and what became of it in the source."""

    key: str
    value: Value | Unknown
    """Unknown: the baseline's, which only running the program can tell."""
    was: Constant
    """As it was searched."""
    standing: Standing
    is_ours: bool
    """Whether the source holds what an earlier `apply` wrote there."""

    @property
    def now(self) -> Constant | None:
        """The constant as it may be rewritten; None where it was edited by hand, or is gone."""
        match self.standing:
            case Unchanged(now=now):
                return now
            case Edited(now=now) if self.is_ours:
                return now
            case _:
                return None

    @property
    def is_applied(self) -> bool:
        """Whether the source holds the value already."""
        match self.standing:
            case Unchanged(now=now) | Edited(now=now):
                if isinstance(self.value, Symbol):
                    return repr(now.value) == repr(self.value)
                if isinstance(now.value, Unknown) or isinstance(self.value, Unknown):
                    return False
                return has_same_repr(now.value, self.value)
            case Removed():
                return False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionUpdate:
    """An option, the trial's value of it, and what a config file or the source's default holds now."""

    key: str
    value: Value
    was: Value | Unknown
    """What the baseline held."""
    now: Option
    """As the current files say it."""
    is_ours: bool
    """Whether the file holds what an earlier `apply` wrote there."""
    then: Option
    """As the files said it that were searched."""

    @property
    def is_in_file(self) -> bool:
        """Whether the value stands where it can be written: in a config file, or as a literal default."""
        return self.now.config is not None or self.now.default is not None

    @property
    def is_applied(self) -> bool:
        """Whether the file holds the value already."""
        return self.is_in_file and self._holds(self.value)

    @property
    def is_as_searched(self) -> bool:
        """Whether the value stands in a file, as it was searched or as an earlier `apply` wrote it."""
        return self.is_in_file and (self.is_ours or self._holds(self.was))

    @property
    def file(self) -> str:
        """The file that holds the value, below the program's root."""
        return self.now.config.name if self.now.config is not None else self.now.place.rpartition(":")[0]

    def _holds(self, value: Value | Unknown) -> bool:
        """Compare with what the file says; a parser makes 1.0 of ``default=1``."""
        held = self.now.value
        if self.now.is_float and is_number(held) and is_number(value):
            return held == value
        return repr(held) == repr(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBack:
    """A trial's values against the source as it is now."""

    program: Program
    """As it is now."""
    wanted: tuple[ConstantUpdate, ...]
    options: tuple[OptionUpdate, ...]
    """Those of a script's options whose values stand in config files, or as defaults in the source."""
    rewrites: tuple[Rewrite, ...]
    """What changes in the source; none: there is nothing to write."""
    elsewhere: tuple[str, ...]
    """What else changed since the search, a file each: ``net.py: 3 lines from line 12 on``."""
    gone: tuple[str, ...]
    """Options whose values stood in a config file, and stand there no longer."""
    unwritten: tuple[OptionUpdate, ...]
    """Options whose default is no literal of the source: it, which is another value, stays as it is."""
    command: tuple[str, ...]
    """The program with the trial's options that stand in no file; empty where there are none."""

    @property
    def written_values(self) -> dict[str, Value]:
        """The values that the files hold after the rewrites, by constant."""
        values = {each.key: each.value for each in self.wanted if each.now is not None}
        constants = {key: value for key, value in values.items() if not isinstance(value, Unknown)}
        return constants | {each.key: each.value for each in self.options if each.is_as_searched}


def select_trial(experiment: StoredExperiment, number: int | None) -> TrialResult:
    """Return the trial of this number, else the confirmed or best one; raise ExperimentError where there is none."""
    folder = display_path(experiment.paths.folder)
    if number is None:
        if experiment.chosen is None:
            raise build_no_score_error(experiment)
        return experiment.chosen
    for trial in experiment.trials:
        if trial.number == number:
            return trial
    hint = f"The trials are 0 to {experiment.trials[-1].number}." if experiment.trials else "There are none yet."
    raise ExperimentError(folder, f"no trial {number}", hint)


def build_no_score_error(experiment: StoredExperiment) -> ExperimentError:
    """Return the error where the best trial is wanted, and none has a score."""
    hint = f"Continue the search: {this_command()} resume {experiment.paths.cli_argument}"
    return ExperimentError(display_path(experiment.paths.folder), "no trial has a score yet", hint)


def write_back(experiment: StoredExperiment, trial: TrialResult, digits: int | None = None) -> WriteBack:
    """Return what changes in the source, which is not touched.

    ``digits``: to how many significant digits floats are rounded; None: they are written as they were trained.
    Only what still stands there as it was searched, or as an earlier `apply` wrote it, is rewritten. Raises
    ProgramError where the program is gone or no longer Python, and ApplyError where a value cannot be written without
    changing more than a literal.
    """
    then, now = experiment.snapshot.stored_program, _reread_program(experiment.snapshot.program)
    promoted = resolve_constants(experiment.space, then)
    values = {item.key: as_source_value(trial.values[item.key], item) for item in promoted if item.key in trial.values}
    if digits is not None and not trial.is_baseline:
        values |= {item.key: _round_value(values[item.key], item, digits) for item in promoted if item.key in values}
    searched = {item.key: item.constant for item in promoted if isinstance(item.constant, Constant)}
    standing = find_drift(searched.values(), then, now)
    applied = read_applied(experiment.paths)
    wanted = tuple(
        ConstantUpdate(key, values.get(key, constant.value), constant, found, _is_ours(applied, key, found))
        for key, constant, found in ((key, constant, standing[constant]) for key, constant in searched.items())
        if key in values or trial.is_baseline
    )
    options = {item.key: item.constant for item in promoted if isinstance(item.constant, Option)}
    configured = _find_written_options(experiment, then, now, promoted, values, applied)
    places = {
        each.now.config: each.value
        for each in configured
        if each.now.config is not None and each.is_as_searched and not each.is_applied
    }
    is_configured = {each.key for each in configured}
    words = {
        key: option
        for key, option in options.items()
        if key not in is_configured and option.parser is not OptionParser.FILE
    }
    return WriteBack(
        program=now,
        wanted=wanted,
        options=configured,
        rewrites=(*_build_rewrites(wanted, configured, then, now, trial), *rewrite_configs(places)),
        elsewhere=_find_other_changes(then, now, wanted, configured),
        command=_build_command(experiment, now, words, values),
        gone=tuple(key for key in options.keys() - is_configured - words.keys()),
        unwritten=tuple(
            OptionUpdate(key=key, value=values[key], was=option.value, now=option, then=option, is_ours=False)
            for key, option in words.items()
            if key in values and repr(values[key]) != repr(option.value)
        ),
    )


def _round_value(value: Value, item: PromotedConstant, digits: int) -> Value:
    """Return a float with fewer digits; what it may not be, and what was chosen from a list, stays as it is."""
    is_free = isinstance(item.dimension, FloatRange) and item.dimension.step is None
    if not isinstance(value, float) or not is_free:
        return value
    rounded = float(f"{value:.{digits}g}")
    return value if place_in(item.dimension, rounded) is None else rounded


def _build_rewrites(
    wanted: Sequence[ConstantUpdate], options: Sequence[OptionUpdate], then: Program, now: Program, trial: TrialResult
) -> tuple[Rewrite, ...]:
    """Return the sources with the values in them; with the baseline's, the expressions that were searched."""
    in_source = [each for each in options if each.now.default is not None and each.is_as_searched]
    if trial.is_baseline:
        constants = {each.now: each.was for each in wanted if each.now is not None}
        were = {_as_constant(each.now): _as_constant(each.then) for each in in_source if each.then.default}
        return restore_expressions(now, then, constants | were)
    values = {
        each.now: each.value
        for each in wanted
        if each.now is not None and not each.is_applied and not isinstance(each.value, Unknown)
    }
    return rewrite_sources(
        now, values | {_as_constant(each.now): each.value for each in in_source if not each.is_applied}
    )


def _as_constant(option: Option) -> Constant:
    """Return the default of an option as a constant: a literal at a place of the source."""
    assert option.default is not None
    assert not isinstance(option.value, Unknown)
    return Constant(name=option.name, value=option.value, sites=(option.default,), names=option.names)


def _find_written_options(
    experiment: StoredExperiment,
    then: Program,
    now: Program,
    promoted: Sequence[PromotedConstant],
    values: Mapping[str, Value],
    applied: Applied,
) -> tuple[OptionUpdate, ...]:
    """Return the options whose values stand in config files now, or as literal defaults in the source."""
    args = experiment.space.args
    found = []
    with contextlib.chdir(experiment.folder):  # `args` may name a file from there
        for item in promoted:
            if not isinstance(item.constant, Option) or item.key not in values:
                continue
            options = find_options(now, args)
            if item.constant.parser is OptionParser.FILE and not any(item.key in option.names for option in options):
                continue  # its file, or its key, is gone
            option = option_in_force(find_option(item.key, now, options, ""), now, args, "")
            if (option.config is None and option.default is None) or isinstance(option.value, Unknown):
                continue
            found.append(
                OptionUpdate(
                    key=item.key,
                    value=values[item.key],
                    was=experiment.baseline_value(item),
                    now=option,
                    then=find_option(item.key, then, find_options(then, args), ""),
                    is_ours=is_applied(applied, item.key, option.value),
                )
            )
    return tuple(found)


def _is_ours(applied: Applied, key: str, standing: Standing) -> bool:
    match standing:
        case Edited(now=now):
            return is_applied(applied, key, now.value.text if isinstance(now.value, Unknown) else now.value)
        case _:
            return False


def _reread_program(program: Program) -> Program:
    if program.path.is_file():
        return replace(program)  # read anew
    hint = "Put it back where it was searched" + ("." if program.root.is_dir() else ", or run this in its new folder.")
    raise ProgramError(None, f"the program is gone: {program.path}", hint)


def _find_other_changes(
    then: Program, now: Program, wanted: Sequence[ConstantUpdate], options: Sequence[OptionUpdate]
) -> tuple[str, ...]:
    """Compare the files with what was searched, and with that after an apply: our own literals are no change."""
    held = dict(pair for each in wanted for pair in _find_applied_values(each))
    for each in options:
        if (
            each.then.default is not None
            and (each.is_applied or each.is_ours)
            and not isinstance(each.now.value, Unknown)
        ):
            held[_as_constant(each.then)] = each.now.value
    try:
        applied = {each.source.name: each.raw for each in rewrite_sources(then, held)}
    except ApplyError:
        applied = {}
    found = []
    for name, source in then.sources.items():
        path = now.root / name
        if not path.is_file():
            found.append(f"{name} is gone")
            continue
        raw = path.read_bytes()
        if raw not in (source.raw, applied.get(name)):
            found.append(f"{name}: {describe_changed_lines(applied.get(name, source.raw), raw)}")
    return tuple(found)


def _find_applied_values(wanted: ConstantUpdate) -> Iterator[tuple[Constant, Value]]:
    """Yield the value that the source holds where that is what an apply wrote, or would write."""
    if wanted.is_applied:
        if not isinstance(wanted.value, Unknown):
            yield wanted.was, wanted.value
    elif wanted.is_ours and wanted.now is not None:
        held = wanted.now.value
        yield wanted.was, Symbol(held.text) if isinstance(held, Unknown) else held


def describe_changed_lines(before: bytes, after: bytes) -> str:
    """Return how much of a file is not as it was: ``3 lines from line 12 on``."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    if not changes:
        return "its line ends"
    n_lines = sum(max(code[2] - code[1], code[4] - code[3]) for code in changes)
    first = changes[0][3] + 1
    return f"line {first}" if n_lines == 1 else f"{n_lines} lines from line {first} on"


def _build_command(
    experiment: StoredExperiment, now: Program, options: Mapping[str, Option], values: Mapping[str, Value]
) -> tuple[str, ...]:
    if not options:
        return ()
    shape = experiment.space.shape
    assert isinstance(shape, Script)
    return (str(_relative_path(now.path)), *shape.args, *option_words(options, values))


def _relative_path(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
