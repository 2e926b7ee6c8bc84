"""What a coding agent can do with a search: each verb is one command, whose answer is of bounded length."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tune.agents.processes import CommandError, StartedCommand, run_command
from tune.errors import EXIT_USER
from tune.storage_url import default_storage, local_folder_of

MOST_CHARACTERS = 20_000
"""Of an answer, as JSON."""
MOST_TEXT = 2_000
"""Characters of one text in it."""
MOST_ITEMS = 50
"""Items of one list in it."""
N_BEST = 10
"""Trials that ``results`` has where nothing else is asked for."""
OWN_OPTIONS = frozenset({"--why", "--outside", "--others", "--json", "--storage", "--help"})
"""Of ``propose``: no constants."""
STATUSES = (0, 1, 3, 130)
"""The exit statuses of ``status``: it told where the search is, whatever that is."""
WAIT = "A verdict is the word to wait for: the best of many noisy trials is too good, and may be noise alone."
"""What is said wherever values could be taken that no verdict is on."""

Answer = dict[str, Any]


class AgentVerbs:
    """The verbs on the experiments of one storage. They raise CommandError, with what the command said."""

    def __init__(self, storage: str | None = None) -> None:
        """``storage``: the folder or URL of all experiments; None: the default one."""
        self._storage = storage
        self._started: list[StartedCommand] = []  # asked now and then, so that none that ended stays a zombie

    def list_constants(self, program: str, every: bool = False) -> Answer:
        """Return what a program (a .py file) hardcodes and can be searched: what is promising, or every constant."""
        found = json.loads(run_command(["constants", _check_word(program), "--json"]).text)
        kept = [each for each in (*found["constants"], *found["options"]) if every or each["promising"]]
        shown = [{name: each[name] for name in ("name", "text", "type", "where")} for each in kept[:MOST_ITEMS]]
        n_all = len(found["constants"]) + len(found["options"])
        return limit_answer({"program": found["program"], "constants": shown, "n_left_out": n_all - len(shown)})

    def start_search(
        self,
        program: str,
        constants: list[str],
        metric: str | None = None,
        mode: Literal["min", "max"] | None = None,
        trials: int | None = None,
        time_budget: str | None = None,
        name: str | None = None,
        options: list[str] | None = None,
    ) -> Answer:
        """Start a search, which goes on by itself; return the experiment's name.

        constants: names with or without ranges: "LR=1e-4..1e-1", "BATCH_SIZE=16,32,64", "DROPOUT". time_budget: "30m".
        options: further words of the command line, such as "--trainer.max_epochs=10".
        """
        given = {"metric": metric, "mode": mode, "trials": trials, "time-budget": time_budget, "name": name}
        words = [_check_word(program), *map(_check_word, constants)]
        words += [f"--{option}={value}" for option, value in given.items() if value is not None]
        started = self._start_command([*words, *(options or ()), "--yes", *self._storage_words()])
        paths = started.wait_for_experiment(self._storage_folder())
        return {"experiment": paths.name, "folder": str(paths.folder), "process": started.pid, "state": "running"}

    def read_status(self, experiment: str) -> Answer:
        """Tell where a search is: state, outcome, best trial, hardcoded values, running trials."""
        done = run_command(["status", _check_word(experiment), "--json", *self._storage_words()], STATUSES)
        return limit_answer(_parse_object(done.text))

    def propose_trial(
        self, experiment: str, constants: dict[str, Any], why: str | None = None, outside: bool = False
    ) -> Answer:
        """Let a search run a configuration next, such as {"LR": 0.0003}.

        Constants that are not named keep their hardcoded values. outside: values outside of the ranges are taken, too.
        """
        words = [_write_assignment(name, value) for name, value in constants.items()]
        words += [] if why is None else [f"--why={why}"]
        words += ["--outside"] if outside else []
        return self._ask_driver(["propose", _check_word(experiment), *words])

    def stop_trials(self, experiment: str, trials: list[int] | None = None) -> Answer:
        """Stop trials by their numbers after their epochs; without numbers end the search politely."""
        return self._ask_driver(["stop", _check_word(experiment), *map(str, trials or ())])

    def resume_search(self, experiment: str, more_trials: int | None = None) -> Answer:
        """Let a search that was interrupted, has ended or is paused go on; kept proposals run first.

        more_trials: so many beside those that it was to have; not of a search that runs.
        """
        words = ["resume", _check_word(experiment)]
        words += [] if more_trials is None else [f"--trials=+{more_trials}"]
        words += self._storage_words()
        if self.read_status(experiment)["state"] in ("running", "paused"):
            return {"experiment": experiment, "state": "running", "what": run_command(words).text.strip()}
        started = self._start_command(words)
        paths = started.wait_for_experiment(self._storage_folder())
        return {"experiment": paths.name, "folder": str(paths.folder), "process": started.pid, "state": "running"}

    def read_results(self, experiment: str, n_best: int = N_BEST) -> Answer:
        """Return the best trials, failures and hints. A best score is no verdict: it is the best of many noisy ones."""
        found = self._read_experiment(experiment)
        trials = [{name: value for name, value in each.items() if name != "curve"} for each in found["trials"]]
        shown = trials[: max(0, min(n_best, MOST_ITEMS))]
        kept = {name: found[name] for name in ("experiment", "folder", "program", "metrics", "best", "confirmation")}
        rest = {name: found[name] for name in ("failures", "hints", "preflight_failure")}
        verdict = _find_verdict(found)
        told = {} if verdict is not None else {"note": WAIT}
        return limit_answer({**kept, **told, "trials": shown, "n_left_out": len(trials) - len(shown), **rest})

    def ask_verdict(self, experiment: str) -> Answer:
        """Tell whether the gain is real: finding is gain (take the values), noise or loss (keep what is hardcoded).

        Where there is none yet, the training that it needs begins: the best trials and the hardcoded values, with fresh
        seeds. Ask again until finding is set. An interrupted search goes on first.
        """
        found, status = self._read_experiment(experiment), self.read_status(experiment)
        confirmation = found["confirmation"]
        finding = None if confirmation is None else confirmation["finding"]
        answer: Answer = {"experiment": status["experiment"], "state": status["state"], "finding": finding}
        if finding is not None:
            names = ("gain", "interval", "chosen", "verdict_number", "error_rate", "lines")
            return limit_answer({**answer, **{name: confirmation[name] for name in names}})
        if confirmation is not None:
            answer["lines"] = confirmation["lines"]
        if status["state"] == "paused":
            return {**answer, "next": "It is paused: `resume` lets it go on. Then ask again."}
        if status["state"] == "running":
            return {**answer, "next": "Ask again: the search or its confirmation runs."}
        best = status["best"]
        if status["state"] == "finished" and (best is None or best["number"] == 0):
            return {**answer, "finding": "nothing better", "next": "No trial was better: keep the hardcoded values."}
        command = ["resume", _check_word(experiment), "--confirm", *self._storage_words()]
        paths = self._start_command(command).wait_for_experiment(self._storage_folder())
        return {**answer, "experiment": paths.name, "state": "running", "next": "Ask again: the confirmation runs."}

    def show_diff(self, experiment: str, trial: int | None = None) -> Answer:
        """Return the diff that puts the confirmed values into the source. It is never written: that is yours to do."""
        chosen = [] if trial is None else [f"--trial={trial}"]
        text = run_command(["apply", _check_word(experiment), *chosen, *self._storage_words()]).text
        finding = _find_verdict(self._read_experiment(experiment))
        told = {} if finding == "gain" and trial is None else {"note": WAIT}
        shown, n_all = text[:MOST_CHARACTERS], len(text)
        return {"finding": finding, **told, "diff": shown, "n_left_out": n_all - len(shown)}

    def _ask_driver(self, words: Sequence[str]) -> Answer:
        """Return what a search says to a request; raise CommandError where it refuses."""
        said = run_command([*words, "--json", *self._storage_words()], good=(0, EXIT_USER))
        if said.exit_status == EXIT_USER and not said.text.strip():
            raise CommandError(said.errors.strip())
        answer = _parse_object(said.text)
        if not answer["taken"]:
            raise CommandError("\n  ".join(each for each in (answer["what"], answer["hint"]) if each))
        return limit_answer(answer)

    def _read_experiment(self, experiment: str) -> Answer:
        words = ["results", _check_word(experiment), "--sort", "score", "--json", *self._storage_words()]
        found: Answer = _parse_object(run_command(words).text)["experiments"][0]
        return found

    def _start_command(self, words: Sequence[str]) -> StartedCommand:
        self._started = [each for each in self._started if not each.has_ended]
        started = StartedCommand(words)
        self._started.append(started)
        return started

    def _storage_words(self) -> list[str]:
        return [] if self._storage is None else [f"--storage={self._storage}"]

    def _storage_folder(self) -> Path:
        return default_storage() if self._storage is None else local_folder_of(self._storage)


def _check_word(word: str) -> str:
    """Return a word of a command line; raise CommandError where it would be an option of ours, or is empty."""
    if not word or word.startswith("-") or "\0" in word:
        raise CommandError(f"a name, a file or a constant does not begin with '-', and is not empty, got {word!r}")
    return word


def _write_assignment(name: str, value: Any) -> str:
    """Return the word that gives a constant a value; a constant that is an option of the program begins with dashes."""
    if name.partition("=")[0] in OWN_OPTIONS:
        raise CommandError(f"no constant, but an option of the command, got {name!r}")
    plain = _check_word(name.removeprefix("--").removesuffix("="))
    text = "None" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"{'--' if name.startswith('--') else ''}{plain}={text}"


def _parse_object(text: str) -> Answer:
    try:
        found: Answer = json.loads(text)
    except ValueError as error:
        raise CommandError(f"no JSON, but: {text[:MOST_TEXT]}") from error
    return found


def _find_verdict(found: Mapping[str, Any]) -> str | None:
    confirmation = found["confirmation"]
    return None if confirmation is None else confirmation["finding"]


def limit_answer(answer: Answer) -> Answer:
    """Return an answer that is not too long: long texts are cut, then long lists are."""
    limited: Answer = _shorten_value(answer, MOST_ITEMS)
    n_items = MOST_ITEMS
    while len(json.dumps(limited)) > MOST_CHARACTERS and n_items > 1:
        n_items //= 2
        limited = _shorten_value(answer, n_items)
    if len(json.dumps(limited)) > MOST_CHARACTERS:
        raise CommandError(f"the answer has more than {MOST_CHARACTERS} characters: ask for less")
    return limited


def _shorten_value(value: Any, n_items: int) -> Any:
    match value:
        case str():
            return value if len(value) <= MOST_TEXT else f"{value[:MOST_TEXT]}... ({len(value)} characters)"
        case list():
            kept = [_shorten_value(each, n_items) for each in value[:n_items]]
            return kept if len(value) <= n_items else [*kept, f"... {len(value) - n_items} more"]
        case dict():
            return {name: _shorten_value(each, n_items) for name, each in value.items()}
        case _:
            return value
