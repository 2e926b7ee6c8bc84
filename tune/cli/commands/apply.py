"""``promotune apply EXPERIMENT``: a diff that puts the best values back into the source."""

import argparse
import shlex
from pathlib import Path

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen, format_value
from tune.cli.terminal.summary import warn_of_doubts
from tune.errors import ApplyError, OptionError
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.trial_result import TrialResult
from tune.invocation import join_words, this_command
from tune.paths import display_path
from tune.promotion.drift import Edited, Removed
from tune.promotion.find.literals import Unknown
from tune.promotion.snapshot import find_other_copy
from tune.promotion.source_edit import build_diff, encoded_diff, write_files
from tune.results.write_back import ConstantUpdate, OptionUpdate, WriteBack, note_applied, select_trial, write_back
from tune.storage.driver_sync import upload_if_remote

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def run(given: argparse.Namespace) -> int:
    """Show what changes; write it if that was asked."""
    if given.digits is not None and given.digits < 1:
        raise OptionError("--digits", f"must be 1 or more, got {given.digits}", "Write `--digits 3`.")
    experiment = open_experiment(given.experiment, storage_of(given.storage))
    trial = select_trial(experiment, given.trial)
    back = write_back(experiment, trial, given.digits)
    warn_of_doubts([experiment])
    screen = Screen()
    screen.print_line(_describe_trial(experiment, trial), style="bold")
    if given.trial is None and trial.is_baseline and experiment.best is not None and not experiment.best.is_baseline:
        screen.print_line(
            "the confirmation kept the hardcoded values: the winner of the race was not better on fresh seeds"
        )
    for line in _list_obstacles(back):
        screen.print_line(line, style="yellow")
    if back.rewrites:
        screen.print_line()
        _show_diff(screen, back)
        screen.print_line()
        if given.write:
            # In another copy of the project its user may mean that one
            copy = find_other_copy(experiment.snapshot, Path.cwd())
            if copy is not None:
                root = display_path(experiment.snapshot.program.root)
                what = f"this is a copy of the project that was searched, {root}, and --write changes that one"
                words = ["apply", given.experiment, *(["--storage", given.storage] if given.storage else [])]
                patch = f"{this_command()} {join_words(words)} | patch -p1"
                raise ApplyError(display_path(copy), what, f"Go there to write it; or write the copy: `{patch}`.")
            note_applied(experiment.paths, back.written_values)
            upload_if_remote(experiment.paths.applied_values)
            write_files(back.rewrites)
    screen.print_line(_describe_end(back, written=given.write))
    if back.unwritten:
        screen.print_prose("not written, for their defaults are no literals of the source:", "yellow")
        for each in back.unwritten:
            screen.print_line(f"  {_describe_unwritten(each)}")
    if back.command:
        screen.print_line("to run it with its options:")
        screen.print_line(f"  python {shlex.join(back.command)}")
    return 0


def _describe_unwritten(option: OptionUpdate) -> str:
    """Return the trial's value, where the default stands, and what it is."""
    if option.key.endswith("="):  # no file declares it
        return f"{option.key}{format_value(option.value)}"
    held = "" if isinstance(option.was, Unknown) else f", {format_value(option.was)} now"
    return f"{option.key}={format_value(option.value)} ({option.now.where}{held})"


def _describe_trial(experiment: StoredExperiment, trial: TrialResult) -> str:
    """Return what is applied, and what it is worth. The patch program skips what stands before a diff."""
    if trial.score is None:
        return f"{trial.version}: {trial.state}"
    baseline = experiment.baseline
    gain = ""
    if baseline is not None and baseline.final_score is not None and trial.number != baseline.number:
        gain = f", the hardcoded values: {format_value(baseline.final_score)}"
    metric = experiment.space.metric
    return f"{trial.version}: {metric} = {format_value(trial.score)} {trial.score_origin}{gain}"


def _list_obstacles(back: WriteBack) -> list[str]:
    """Return what changed since the search: whole files first, then constants that are left alone."""
    found = [f"changed since the search: {each}" for each in back.elsewhere]
    for each in back.wanted:
        match each.standing:
            case Edited(now=now, was=was, text=text) if not (each.is_applied or each.is_ours):
                found.append(
                    f"{each.key} is not touched: {now.where} holds {text}, and {was} was searched; "
                    f"the trial had {each.value!r}"
                )
            case Removed():
                found.append(f"{each.key} is not touched: the program has no such constant any more")
    found += [
        f"{each.key} is not touched: {each.now.where} holds {each.now.value!r}, and {each.was!r} was searched; "
        f"the trial had {each.value!r}"
        for each in back.options
        if not (each.is_as_searched or each.is_applied)
    ]
    found += [f"{key} is not touched: no config file that the program names holds it any more" for key in back.gone]
    return found


def _describe_end(back: WriteBack, *, written: bool) -> str:
    files = ", ".join(each.source.name for each in back.rewrites)
    if back.rewrites:
        return f"written: {files}" if written else "nothing is written yet: --write does it"
    every: list[ConstantUpdate | OptionUpdate] = [*back.wanted, *back.options]
    if every and all(each.is_applied for each in every):
        held = ", ".join(f"{each.key.rstrip('=')}={format_value(each.value)}" for each in every)
        files = ", ".join(
            dict.fromkeys(
                (*((back.program.source.name,) if back.wanted else ()), *(each.file for each in back.options))
            )
        )
        return f"nothing to do: {files} {'holds' if ', ' not in files else 'hold'} {held}"
    return "nothing to do in the source"


def _show_diff(screen: Screen, back: WriteBack) -> None:
    """Show it to people, or give it to a file byte for byte, whatever the encodings: ``patch -p1`` takes it."""
    if not screen.is_terminal:
        screen.print_bytes(encoded_diff(back.rewrites))
        return
    for line in build_diff(back.rewrites).splitlines():
        screen.print_line(line.expandtabs(), style=STYLES.get(line[:1]))
