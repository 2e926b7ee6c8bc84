"""What each command takes on the command line; help and a refused word import nothing else."""

import argparse
from collections.abc import Callable, Sequence

from tune.cli.arguments import SearchParser, add_profile, add_settings, add_trainer
from tune.cli.parser import (
    COMMANDS,
    OVERVIEW,
    SEARCH,
    SEARCH_PROGRAM,
    Parser,
    add_storage,
    both_given_error,
    describe_command,
    is_program,
)
from tune.cli.program_parsers import ConstantsParser, NamesParser, ProgramParser
from tune.errors import OptionError
from tune.invocation import this_command
from tune.space.settings import MAY_CHANGE
from tune.version import __version__

DESCRIPTION = """\
Search the hyperparameters that a PyTorch Lightning program hardcodes.

A program and names of its constants are a search; so is a space file. A program
alone lists its constants. Without arguments it says what it finds in the folder.
"""
NAMES_HELP = "a constant, as `constants` names it, or --option; with a range: LR=1e-4..1e-1, BATCH_SIZE=16,32,64"
RANGES = """\
ranges:
  LR                    suggested from the name and the value, as by `promote`
  LR=1e-4..1e-1         from one end to the other, on the scale that fits the name
  BATCH_SIZE=16,32,64   one of these
  DROPOUT=0.1           suggested around this value
"""
LOAD_COMPLETION = """\
bash:  echo 'eval "$(promotune completion bash)"' >>~/.bashrc
zsh:   echo 'eval "$(promotune completion zsh)"' >>~/.zshrc      (behind compinit)
fish:  promotune completion fish >~/.config/fish/completions/promotune.fish"""


class SpaceParser(SearchParser):
    """Takes a space file, and no program."""

    def _unknown_word_error(self, word: str) -> OptionError:
        return both_given_error(word, self._words) if is_program(word) else super()._unknown_word_error(word)


class SteerParser(Parser):
    """Takes options between the words that name an experiment and what is asked of it."""

    def _parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_intermixed_args(words)


class ProposeParser(SteerParser):
    """Takes the option of a program, ``--lr=0.1``, for a constant where it is none of its own."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say."""
        own = {*self.option_spellings}
        taken = [word for word in words if word.startswith("--") and "=" in word and word.partition("=")[0] not in own]
        found = super().parse_words([word for word in words if word not in taken])
        found.values = [*found.values, *taken]
        if not found.values:
            raise OptionError(None, "no constant was named", f"Write `{self.prog} {found.experiment} LR=3e-4`.")
        return found


def build_parser(name: str) -> Parser:
    """Return what the command called ``name`` takes, or a search, or the overview."""
    if name == SEARCH:
        return _build_space_parser()
    if name == SEARCH_PROGRAM:
        return _build_program_parser()
    if name == OVERVIEW:
        return Parser(description="Say what is in this folder, and what to type next.")
    plain = argparse.RawDescriptionHelpFormatter
    ending = {"epilog": LOAD_COMPLETION, "formatter_class": plain} if name == "completion" else {}
    parser = _CLASSES.get(name, Parser)(name, description=describe_command(name), **ending)
    _ADD_WORDS[name](parser)
    return parser


def _build_space_parser() -> Parser:
    """Return what a search of a space file takes; its help names the commands too."""
    called = this_command()
    commands = "\n".join(f"  {name:<10}  {what}" for name, what in COMMANDS.items())
    forms = ("PROGRAM NAME[=RANGE]... [options]", "--space FILE [options]", "PROGRAM", "COMMAND ...", "")
    parser = SpaceParser(
        usage="\n       ".join(f"{called} {form}".rstrip() for form in forms),
        description=DESCRIPTION,
        epilog=f"commands ({called} COMMAND --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told = "show the version; with -v those of the libraries, too"
    parser.add_argument("--version", action="version", version=f"promotune {__version__}", help=told)
    parser.add_argument("--space", metavar="FILE", required=True, help="a path, or a name in search_spaces/")
    _add_search_options(parser)
    return parser


def _build_program_parser() -> Parser:
    """Return what a search of a program's constants takes."""
    parser = ProgramParser(
        "PROGRAM",
        usage=f"{this_command()} PROGRAM NAME[=RANGE]... [options]",
        description="Search some constants of a program, without a space file.",
        epilog=RANGES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("program", metavar="PROGRAM", help="a Python file")
    parser.add_argument("names", metavar="NAME", nargs="*", help=NAMES_HELP)
    parser.add_argument("--yes", action="store_true", help="do not ask whether to go on")
    _add_program_options(parser)
    _add_search_options(parser)
    return parser


def _add_search_options(parser: Parser) -> None:
    """Add the settings, and what a search takes beside them."""
    add_settings(parser)
    parser.add_argument("--name", help="name of the experiment; default: the file's")
    told = "start with the trials of this experiment as known"
    parser.add_argument("--from", dest="known", metavar="EXPERIMENT", help=told)
    parser.add_argument("--no-report", action="store_true", help="write no report.html at the end")
    told = "train one or two batches of the baseline, and keep nothing"
    parser.add_argument("--fast-dev-run", action="store_true", help=told)
    add_profile(parser)


def _add_program_options(parser: Parser) -> None:
    """Let the user say what the source does not tell: how the program is run, and by what it is judged."""
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--script", action="store_true", help="the program trains by itself; default: by its source")
    shape.add_argument("--system", action="store_true", help="the search builds the Trainer")
    parser.add_argument("--args", metavar="WORDS", help="what a script is given, quoted: --args '--data DIR --fast'")
    parser.add_argument("--metric", help="a name given to self.log; default: what the program monitors, or logs")
    parser.add_argument("--mode", choices=("min", "max"), help="whether less or more of the metric is better")


def _add_experiment(parser: Parser) -> None:
    parser.add_argument("experiment", help="its name, or its folder")


def _add_answer_options(parser: Parser) -> None:
    """Let a command print the driver's answer for machines; add where experiments lie."""
    parser.add_argument("--json", action="store_true", help="the answer as one object, for machines")
    add_storage(parser)


def _add_constants(parser: Parser) -> None:
    parser.add_argument("program", help="a Python file; the modules of its project that it imports are read too")
    parser.add_argument("--all", action="store_true", help="list what is less promising, too")
    parser.add_argument("--refused", action="store_true", help="list the names that cannot be searched, and why")
    parser.add_argument("--args", metavar="WORDS", help="what the program is given, quoted: --args '--config big.yaml'")
    parser.add_argument("--json", action="store_true", help="everything, for machines: docs/reference/json.md")


def _add_promote(parser: Parser) -> None:
    parser.add_argument("program", help="a Python file")
    parser.add_argument("names", metavar="NAME", nargs="*", help=NAMES_HELP)
    told = "default: search_spaces/NAME_NAME.yaml beside the program"
    parser.add_argument("-o", "--output", metavar="FILE", help=told)
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    _add_program_options(parser)
    add_trainer(parser)


def _add_resume(parser: Parser) -> None:
    _add_experiment(parser)
    parser.add_argument("--space", metavar="FILE", help="go on with this edited space; trials that fit it are kept")
    told = "go on from checkpoints that hold more than plain data; whoever wrote them can run code here"
    parser.add_argument("--trust-checkpoints", action="store_true", help=told)
    add_settings(parser, MAY_CHANGE, trials="how many in all; +20: 20 more")
    parser.add_argument("--no-report", action="store_true", help="write no report.html at the end")
    add_profile(parser)


def _add_results(parser: Parser) -> None:
    parser.add_argument("experiment", nargs="+", help="its name, or its folder; several are shown side by side")
    told = "score (the best first), number, state, ..."
    parser.add_argument("--sort", metavar="COLUMN", default="score", help=told)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="everything, for machines")
    shape.add_argument("--csv", action="store_true", help="a row for each trial, for machines")
    add_storage(parser)


def _add_status(parser: Parser) -> None:
    _add_experiment(parser)
    parser.add_argument("--json", action="store_true", help="one object, for machines")
    parser.add_argument("--follow", action="store_true", help="a JSON line for each event, until the search ends")
    add_storage(parser)


def _add_propose(parser: Parser) -> None:
    _add_experiment(parser)
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="a constant of the search, and its value")
    parser.add_argument("--why", metavar="TEXT", default="", help="the reason, which the tables and the report show")
    parser.add_argument("--outside", action="store_true", help="let values pass that the space does not hold")
    others = "where the other constants come from: hardcoded, best or sampler; default: hardcoded"
    parser.add_argument("--others", metavar="WHERE", default="hardcoded", help=others)
    _add_answer_options(parser)


def _add_stop(parser: Parser) -> None:
    _add_experiment(parser)
    told = "numbers of trials; none: the whole search, as Ctrl-C does"
    parser.add_argument("trials", nargs="*", type=int, metavar="TRIAL", help=told)
    finish = "let no further trial begin, and those that run train to their end"
    parser.add_argument("--finish", action="store_true", help=finish)
    parser.add_argument("--why", metavar="TEXT", default="", help="the reason, which is recorded with the trial")
    _add_answer_options(parser)


def _add_pause(parser: Parser) -> None:
    _add_experiment(parser)
    _add_answer_options(parser)


def _add_set(parser: Parser) -> None:
    _add_experiment(parser)
    told = "trials=40, trials=+20, concurrency=4, time_budget=2h"
    parser.add_argument("settings", nargs="+", metavar="NAME=VALUE", help=told)
    _add_answer_options(parser)


def _add_report(parser: Parser) -> None:
    _add_experiment(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="default: report.html in the experiment's folder")
    add_storage(parser)


def _add_export(parser: Parser) -> None:
    _add_experiment(parser)
    told = "where to: a tracker, or tables of that format"
    parser.add_argument("--to", required=True, choices=("wandb", "mlflow", "csv", "parquet"), help=told)
    where = "folder of tables, or of W&B's files; the URI of an MLflow server or database"
    parser.add_argument("-o", "--output", metavar="PLACE", help=where)
    what = "W&B's project or MLflow's experiment; default: $WANDB_PROJECT, else the experiment's name"
    parser.add_argument("--project", metavar="NAME", help=what)
    add_storage(parser)


def _add_dashboards(parser: Parser) -> None:
    _add_experiment(parser)
    add_storage(parser)


def _add_retrain(parser: Parser) -> None:
    _add_experiment(parser)
    parser.add_argument("--trial", type=int, metavar="N", help="train this trial again; default: the best one")
    told = "train the K best trials again, each against the hardcoded values"
    parser.add_argument("--top", type=int, metavar="K", help=told)
    told = "train it and the hardcoded values with S fresh seeds, and compare them"
    parser.add_argument("--seeds", type=int, metavar="S", help=told)
    told = "train with this seed instead of the trial's own"
    parser.add_argument("--seed", dest="own_seed", type=int, metavar="N", help=told)
    told = "train the source as it is now, not as it was searched"
    parser.add_argument("--current-source", action="store_true", help=told)
    add_settings(parser, ())


def _add_apply(parser: Parser) -> None:
    _add_experiment(parser)
    parser.add_argument("--trial", type=int, metavar="N", help="write this trial's values; default: the best trial's")
    parser.add_argument("--write", action="store_true", help="write the files; without it, only the diff is shown")
    what = "round floats to N significant digits; default: as they were trained"
    parser.add_argument("--digits", type=int, metavar="N", help=what)
    add_storage(parser)


def _add_list(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    add_storage(parser)


def _add_compare(parser: Parser) -> None:
    parser.add_argument("experiments", metavar="EXPERIMENT", nargs="+", help="their names, or their folders")
    parser.add_argument("-o", "--output", metavar="FILE", help="write a report of it too: one HTML file")
    add_storage(parser)


def _add_delete(parser: Parser) -> None:
    parser.add_argument("experiment", help="its name")
    told = "its name or number; none: the experiment as a whole"
    parser.add_argument("versions", metavar="VERSION", nargs="*", help=told)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_storage(parser)


def _add_agents(parser: Parser) -> None:
    """Take nothing."""


def _add_completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that loads the script")


_CLASSES: dict[str, type[Parser]] = {
    "constants": ConstantsParser,
    "promote": NamesParser,
    "propose": ProposeParser,
    "stop": SteerParser,
    "set": SteerParser,
    "retrain": SearchParser,
}
"""The commands whose words are more than options and what stands between them."""

_ADD_WORDS: dict[str, Callable[[Parser], None]] = {
    "constants": _add_constants,
    "promote": _add_promote,
    "resume": _add_resume,
    "results": _add_results,
    "status": _add_status,
    "propose": _add_propose,
    "stop": _add_stop,
    "pause": _add_pause,
    "set": _add_set,
    "report": _add_report,
    "export": _add_export,
    "dashboards": _add_dashboards,
    "retrain": _add_retrain,
    "apply": _add_apply,
    "list": _add_list,
    "compare": _add_compare,
    "delete": _add_delete,
    "agents": _add_agents,
    "mcp": add_storage,
    "completion": _add_completion,
}
