"""What contradicts itself in an experiment's files: damage that leaves each of them readable."""

import json
from ast import literal_eval
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune.errors import ExperimentError
from tune.experiment.trial_result import BASELINE, MUTATIONS, SETTINGS, Mode, create_trial_result
from tune.paths import ExperimentPaths, display_path
from tune.space.settings import MAY_CHANGE
from tune.space.space import Space, note_space

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


KEYS: dict[object, frozenset[str]] = {
    0: frozenset({"study_name", "directions"}),
    1: frozenset({"study_id"}),
    2: frozenset({"study_id", "user_attr"}),
    3: frozenset({"study_id", "system_attr"}),
    4: frozenset({"study_id", "datetime_start"}),
    5: frozenset({"trial_id", "param_name", "param_value_internal", "distribution"}),
    6: frozenset({"trial_id", "state", "values"}),
    7: frozenset({"trial_id", "step", "intermediate_value"}),
    8: frozenset({"trial_id", "user_attr"}),
    9: frozenset({"trial_id", "system_attr"}),
}
"""What Optuna reads of each kind of record, by its ``op_code``: see its JournalStorage."""
LONGEST_RECORD = 2**26
"""Bytes; that of what another experiment knows is the longest, with a kilobyte for each trial."""
CHUNK = 2**22
BACKUP = "Take it from a backup; nothing was changed."


def check_record_lengths(journal: Path) -> None:
    """Raise ExperimentError where a record is longer than any that is written: a file with a hole has no line's end."""
    if journal.stat().st_size <= LONGEST_RECORD:
        return
    length = 0
    with journal.open("rb") as file:
        while chunk := file.read(CHUNK):
            end = chunk.rfind(b"\n")
            length = length + len(chunk) if end < 0 else len(chunk) - end - 1
            if length > LONGEST_RECORD:
                what = f"a record has more than {LONGEST_RECORD} bytes"
                raise ExperimentError(display_path(journal), what, BACKUP)


def count_whole_records(raw: bytes, journal: Path) -> int:
    """Return how many of its first lines are records; what follows them is a torn end.

    Raises ExperimentError where a line is broken that no power cut tore: records follow it, or it is JSON.
    """
    lines = raw.split(b"\n")
    found = [_read_line(line) for line in lines]
    n_whole = next((number for number, each in enumerate(found) if not _is_record(each)), len(lines))
    if any(each is not None for each in found[n_whole + 1 :]):
        what = f"line {n_whole + 1} is no record, and records follow it"
        raise ExperimentError(display_path(journal), what, BACKUP)
    if n_whole < len(lines) and found[n_whole] is not None:
        raise ExperimentError(display_path(journal), f"line {n_whole + 1} is no record", BACKUP)
    return n_whole


def _read_line(line: bytes) -> Any:
    """Return what the line holds; None for a torn one, or the zeros that a file system puts there."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_record(found: Any) -> bool:
    if not isinstance(found, dict) or type(found.get("op_code")) is not int:
        return False
    return found["op_code"] in KEYS and found.keys() >= KEYS[found["op_code"]]


END_BYTES = 4096  # of a journal, where a torn record is looked for


def find_doubts(
    paths: ExperimentPaths, trials: Sequence["FrozenTrial"], mode: Mode, changed: Sequence[str]
) -> Iterator[str]:
    """Yield a sentence for each contradiction."""
    if changed:
        yield f"{display_path(paths.space)} is not as the search left it: {', '.join(changed)}"
    if n_torn := _count_torn_bytes(paths):
        yield f"{display_path(paths.journal)} ends in a torn record of {n_torn} bytes; `resume` takes it out"
    for trial in trials:
        for what in _find_contradictions(trial, mode):
            yield f"{display_path(paths.journal)}: trial {trial.number}: {what}"


def find_changed_settings(space: Space, study: "optuna.Study") -> tuple[str, ...]:
    """Return what differs from what the ledger notes of the space; nothing where it is older than these notes.

    What `resume` may change is left out: it writes the two one after the other, and may be killed between them.
    """
    names, noted = study.metric_names, study.user_attrs.get(SETTINGS)
    metrics = [each.metric for each in space.objectives]
    found = [] if names in (None, metrics) else [f"metric {names} -> {metrics}"]
    modes = [each.mode for each in space.objectives]
    noted_modes = ["min" if each.name == "MINIMIZE" else "max" for each in study.directions]
    found += [] if modes == noted_modes else [f"mode {noted_modes} -> {modes}"]
    if isinstance(noted, dict):
        held = json.loads(json.dumps(note_space(space)))
        found += [
            f"{name.removesuffix('_s')} {noted[name]} -> {held[name]}"
            for name in held
            if name in noted and noted[name] != held[name] and name.removesuffix("_s") not in MAY_CHANGE
        ]
    return tuple(found)


def _count_torn_bytes(paths: ExperimentPaths) -> int:
    with paths.journal.open("rb") as file:
        file.seek(max(0, paths.journal.stat().st_size - END_BYTES))
        end = file.read()
    if end.endswith(b"\n"):
        return 0
    raw = paths.journal.read_bytes()
    n_whole = count_whole_records(raw, paths.journal)
    return len(b"\n".join(raw.split(b"\n")[n_whole:]))


def _find_contradictions(trial: "FrozenTrial", mode: Mode) -> Iterator[str]:
    """Yield what is written twice and differs: a constant as it was drawn and as the trial had it, and a score."""
    held = trial.user_attrs.get("constants")
    if trial.number != BASELINE and isinstance(held, dict) and MUTATIONS not in trial.user_attrs:
        for name, drawn in trial.params.items():
            if name in held and not _is_drawn_value(drawn, held[name]):
                yield f"{name} is {held[name]!r}, and {drawn!r} was drawn"
    scores = create_trial_result(trial, mode).scores
    if trial.state.name == "COMPLETE" and trial.values is not None and list(scores) != trial.values:
        yield f"its score is {trial.values}, and its curve says {list(scores)}"


def _is_drawn_value(drawn: Any, value: Any) -> bool:
    """Tell whether what Optuna drew is this value: an option that it cannot store is drawn by its text."""
    if drawn in (value, repr(value)):
        return True
    if not isinstance(drawn, str) or isinstance(value, str):
        return False
    try:
        return bool(json.loads(json.dumps(literal_eval(drawn))) == value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return True  # no literal, such as `nan`: it says nothing
