"""Names and texts of strangers, in everything of an experiment that holds text, and what reaches a terminal of them."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.attack.damage import call
from benchmarks.attack.searches import Findings, Said, is_control
from tune.cli.terminal.streams import make_printable
from tune.errors import PromotuneError
from tune.experiment.open import open_experiment
from tune.experiment.records import Failure, TrialRecord
from tune.paths import ExperimentPaths, check_name, claim_experiment
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.study.study import create_search_study
from tune.search.study.version_folders import version_name
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport

CONTROLS = (
    "\x1b[31m",
    "\x1b]0;owned\x07",
    "\x1bP1$r\x1b\\",
    "\x9b31m",
    "\r",
    "\x00",
    "\x7f",
    "\x08",
    "\x0b",
    "\n",
    "\t",
)
MARKS = ("\x85", "\u202e", "\u2066", "\u200e", "\u061c", "\u2028", "\u2029", "\u200b", "\ufeff", "\U000e0041", "\u200d")
LETTERS = ("\ufffe", "\ud800", "\udc80", "e\u0301" * 40, "\U0001f469\u200d\U0001f4bb", "\U0001f4a9", "漢字", "\u0627")
MARKUP = ("[/red]", "[bold]x[/bold]", "[link=http://e]x[/link]", ":smile:", "%s%n", "{}", "{0.__class__}", "{{7*7}}")
SHELL = ("$(id)", "`id`", "; rm -rf ~", "&& id", "|id", "-rf", "--storage=/etc", "~root", "$HOME", "*", "'", '"', "\\")
PATHS = ("../../etc/passwd", "/etc/passwd", "..", ".", "a/b", "C:\\x", "CON", "file:///etc", "s3://b/c?x=y", "#", "=")
HTML = ("<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "<!--", "]]>", "&amp;", "javascript:x()")
YAML = (
    "!!python/object/apply:os.system [id]",
    "!!binary x",
    "&a [*a]",
    "{% x %}",
    "${jndi:ldap://e}",
    "- a: b",
    "null",
)
WORDS = ("NaN", "1e999", "0x", "__class__", "__proto__", "constructor", "x" * 3000, "x" * 100_000, "(" * 200, "")
PARTS = (*CONTROLS, *MARKS, *LETTERS, *MARKUP, *SHELL, *PATHS, *HTML, *YAML, *WORDS)
N_TEXTS = 6
"""In one experiment: its name, metric, constant, choice, and a failure's message and place."""


def write_texts(place: Path, seed: int, n: int) -> list[Findings]:
    """Write ``n`` texts into experiments, six in each, and run all that reads them."""
    rng = random.Random(seed + 3)
    names, shown = Findings("hostile names"), Findings("hostile texts")
    for number in range(n // N_TEXTS):
        folder = place / f"t{seed}-{number}"
        (folder / "p").mkdir(parents=True)
        texts = [_text(rng) for _ in range(N_TEXTS)]
        _check_name(folder, texts[0], names)
        os.chdir(folder / "p")
        try:
            _write(folder, *texts)
        except (PromotuneError, UnicodeEncodeError) as error:
            shown.note(f"refused: {type(error).__name__}")
            shown.check(isinstance(error, PromotuneError), f"{texts!a}: {error!r}")
        shown.n += N_TEXTS
        if (folder / "storage" / "exp" / "study.journal").is_file():
            _check_shown(folder, rng, shown)
        os.chdir(place)
        shutil.rmtree(folder)
    return [names, shown]


def _text(rng: random.Random) -> str:
    return "".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 4)))


def _check_name(folder: Path, name: str, found: Findings) -> None:
    """Check that no name leads out of the storage, and that a name that is not taken is told in print."""
    found.n += 1
    storage = folder / "names"
    try:
        claimed = claim_experiment(storage, name, numbered=True)
        found.check(claimed.folder.parent == storage, f"{name!a} was put into {claimed.folder}")
    except PromotuneError:  # it is too long for a file system
        found.note("refused")
    try:
        check_name(name)
        found.note("legal")
    except PromotuneError as error:
        found.note("refused")
        found.check("\n" not in str(error).partition("\n  ")[0], f"{name!a} breaks a line")
    if "\x00" in name or len(name) > 5000:
        return  # no command line holds these
    for words in (["results", name], ["delete", name, "--yes"], ["apply", name], ["report", name], ["list"]):
        said = call(*words, *(["--storage", str(storage)]))
        found.check_output(said, f"{words!a}", (0, 2))
    found.check(folder.is_dir() and storage.is_dir(), f"{name!a} deleted something else")


def _write(folder: Path, name: str, metric: str, constant: str, choice: str, message: str, where: str) -> None:
    """Write an experiment by our own writers; they refuse what no space file may hold."""
    program = folder / "p" / "program.py"
    (folder / "p" / "pyproject.toml").touch()
    program.write_text(f"LR = 0.01\nCFG = {{{constant!a}: 0.1}}\nNAME = {choice!a}\n")
    key = f"CFG[{constant!r}]"
    choices = {"choice": [choice, f"{choice}2"]}
    constants = {"LR": {"loguniform": [1e-4, 0.1]}, key: {"uniform": [0, 1]}, "NAME": choices}
    space_file = folder / "p" / "s.yaml"
    text = {"system": "program.py", "metric": metric, "mode": "max", "constants": constants, "trials": 3}
    space_file.write_text(json.dumps(text))
    space, found = read_space(space_file), find_program(program)
    promoted = resolve_constants(space, found)
    paths = ExperimentPaths(folder / "storage" / "exp")
    paths.folder.mkdir(parents=True)
    write_space(space, paths.space)
    take_snapshot(found, paths.source)
    ledger = create_search_study(paths, space, promoted)
    ledger.notes.add_command(message)
    for number in range(3):
        _, values = ledger.ask_trial() if number else ledger.ask_baseline()
        version = version_name(number, values if number else {})
        ledger.set_attributes(number, version=version)
        files = paths.version(version)
        files.folder.mkdir()
        failure = Failure(kind=where, message=message, place=where, code=message, hint=where) if number == 2 else None
        TrialRecord(
            number=number,
            version=version,
            constants=values,
            seed=0,
            stage="complete" if failure is None else "failed",
            pid=1,
            host=where,
            devices=message,
            started=0.0,
            curve=[(1, 0.5)],
            failure=failure,
        ).write_record(files)
        if failure is None:
            ledger.write_epochs(number, [EpochReport(1, 0.5)])
            ledger.complete_trial(number, worker=where)
        else:
            ledger.fail_trial(number, failure.reason, worker=where)


def _commands(rng: random.Random) -> Iterator[list[str]]:
    yield ["results", "exp"]
    yield ["results", "exp", "exp"]
    yield ["list"]
    yield ["apply", "exp"]
    yield ["compare", "exp", "exp"]
    yield ["results", "exp", rng.choice(["--json", "--csv"])]
    yield ["report", "exp", "-o", "r.html"]
    yield ["status", "exp", *rng.choice([[], ["--json"], ["--follow"]])]
    yield ["export", "exp", "--to", "csv", "-o", "tables"]
    yield ["resume", "exp", "--no-report"]
    yield ["propose", "exp", "LR=0.02", f"--why={_text(rng)}"[:1500].replace("\x00", "")]
    yield ["constants", "program.py", *rng.choice([[], ["--all"], ["--json"]])]


def _check_shown(folder: Path, rng: random.Random, found: Findings) -> None:
    for words in _commands(rng):
        storage = [] if words[0] == "constants" else ["--storage", str(folder / "storage")]
        said = call(*words, *storage)
        if "--csv" in words:  # for machines: to a terminal it would be written out
            said = Said(said.status, make_printable(said.text.replace("\r", "")), said.took_s)
        statuses = (0, 1, 2, 3, 130) if words[0] == "status" else (0, 2)
        found.check_output(said, f"{words}: {_texts_of(folder)}", statuses)
        is_for_machines = not {"--json", "--csv"}.isdisjoint(words)  # these hold values whole
        longest = 0 if is_for_machines else max(map(len, said.text.splitlines()), default=0)
        found.check(longest < 200_000, f"{words}: a line without an end")
    page = Path("r.html")
    if page.is_file():
        html = page.read_text()
        found.check("<script>alert(1)" not in html and "<img src=x" not in html, f"{_texts_of(folder)}: HTML")
        raw = {letter for letter in html if ord(letter) < 160 and is_control(letter)}
        found.check(not raw, f"{_texts_of(folder)}: control characters in HTML: {raw}")
    try:
        experiment = open_experiment("exp", folder / "storage")
    except PromotuneError:  # as the commands said
        found.note("experiments refused")
        return
    for trial in experiment.trials:
        place = experiment.paths.version(trial.version).folder
        found.check(place.parent == experiment.paths.folder, f"a version lies elsewhere: {place}")


def _texts_of(folder: Path) -> str:
    return ascii((folder / "p" / "s.yaml").read_text())[:600]
