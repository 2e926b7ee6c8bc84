"""``promotune completion SHELL``: a script that completes commands, options, files, experiments, constants and trials.

The script is static: no Python starts when a word is completed. The shell itself lists experiments, their constants and
their trials: it reads the names of folders, the space file, and the first lines of the trials' records.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from tune.cli.command_parsers import build_parser
from tune.cli.parser import COMMANDS, SEARCH_PROGRAM
from tune.cli.terminal.screen import Screen
from tune.experiment.proposals import OTHERS
from tune.invocation import SCRIPT
from tune.space.library_args import OURS, trainer_args
from tune.space.search_methods import SAMPLERS, SCHEDULERS

EXPERIMENTS = {
    "bash": "_promotune_experiments_of",
    "zsh": "_promotune_experiments_of",
    "fish": "(_promotune_experiments)",
}
SPACES = {"bash": "_promotune_spaces_of", "zsh": "_promotune_spaces_of", "fish": "(_promotune_spaces)"}
CONSTANTS = {
    "bash": "_promotune_constants_of",
    "zsh": "_promotune_constants_of",
    "fish": "(_promotune_constants (commandline -opc))",
}
STEERABLE = "trials= concurrency= time_budget="
"""What `set` changes."""


def _name_lister(kind: str) -> dict[str, str]:
    """Return what lists something of the experiment that is among the words, by the shell."""
    of_word = f"_promotune_{kind}_of"
    return {"bash": of_word, "zsh": of_word, "fish": f"(_promotune_of {kind} (commandline -opc))"}


SEARCHED, RUNNING, TRIALS, STEERED = map(_name_lister, ("searched", "running", "trials", "steered"))
PROGRAMS = {"bash": "_promotune_programs_of", "zsh": "_files -g '*.py'", "fish": "(__fish_complete_suffix .py)"}

BY_DEST = {
    "experiment": EXPERIMENTS,
    "experiments": EXPERIMENTS,
    "known": EXPERIMENTS,
    "space": SPACES,
    "program": PROGRAMS,
    "names": CONSTANTS,
    "trial": TRIALS,
}
"""What completes a word, by the name that its value has among the parser's results."""
BY_PLACE = {"values": SEARCHED, "trials": RUNNING, "settings": STEERED, "versions": TRIALS}
"""The same for words that are no values of options."""
FILES = {"output": "FILE", "storage": "DIRECTORY"}
CHOICES = {"sampler": tuple(SAMPLERS), "scheduler": tuple(SCHEDULERS), "others": OTHERS}

OF_EXPERIMENT = (
    r"""
    what="$1"; shift
    for each in "$@"; do
      folder="${PROMOTUNE_STORAGE:-$HOME/ray_results}/$each"
      [ -e "$folder/space.yaml" ] || folder="$each"
      if [ -e "$folder/space.yaml" ]; then cd "$folder" && break; fi
      folder=
    done
    [ -n "$folder" ] || exit 0
    case $what in
      searched) sed -nE -e "/^constants:/,/^[^ ]/s/^  \"?([^ \"][^\"]*)\"?:( .*)?$/\1=/p" space.yaml |
        sed -e "s/==$/=/" ;;
      running) awk "FNR > 20 { nextfile } /\"stage\": \"(preflight|running)\"/ { print FILENAME; nextfile }" \
        [0-9]*/trial.json | sed -e "s/[,/].*//" ;;
      trials) for each in [0-9]*/; do echo "${each%%[,/]*}"; done ;;
      steered) printf "%s\n" """
    + STEERABLE
    + " ;;\n    esac"
)
"""For ``sh``: lists what an experiment has that is named among the words."""

LIST = (
    r"""
_promotune_experiments() {
  sh -c 'cd "${PROMOTUNE_STORAGE:-$HOME/ray_results}" 2>/dev/null || exit 0
    for each in */; do
      if [ -e "${each}study.journal" ] || [ -e "${each}space.yaml" ]; then echo "${each%/}"; fi
    done'
}
_promotune_of() {
  sh -c '"""
    + OF_EXPERIMENT
    + r"""' promotune "$@" 2>/dev/null
}
_promotune_spaces() {
  sh -c 'for each in *.yaml *.yml search_spaces/*.yaml search_spaces/*.yml; do
      if [ -e "$each" ]; then echo "${each#search_spaces/}"; fi
    done'
}
_promotune_constants() {
  local each
  for each in "$@"; do
    case $each in
      *.py) sed -nE \
        -e 's/^([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*(:[^=]*)?=[[:space:]]*[-+0-9.(['\''"].*/\1/p' \
        -e 's/.*add_argument\(.*(--[A-Za-z][A-Za-z0-9_-]*).*/\1/p' "$each" 2>/dev/null
        return ;;
    esac
  done
}
"""
)
"""What lists words, for bash and zsh. Constants are literals at module level, and options of argparse."""

BASH = (
    LIST
    + r"""
_promotune_experiments_of() { compgen -W "$(_promotune_experiments)" -- "$1"; }
_promotune_spaces_of() { compgen -W "$(_promotune_spaces)" -- "$1"; }
_promotune_constants_of() { compgen -W "$(_promotune_constants "${COMP_WORDS[@]}")" -- "$1"; }
_promotune_programs_of() { compgen -f -X '!*.py' -- "$1"; compgen -S / -d -- "$1"; }
_promotune_searched_of() { compgen -W "$(_promotune_of searched "${COMP_WORDS[@]:2}")" -- "$1"; }
_promotune_running_of() { compgen -W "$(_promotune_of running "${COMP_WORDS[@]:2}")" -- "$1"; }
_promotune_trials_of() { compgen -W "$(_promotune_of trials "${COMP_WORDS[@]:2}")" -- "$1"; }
_promotune_steered_of() { compgen -W "$(_promotune_of steered "${COMP_WORDS[@]:2}")" -- "$1"; }
"""
)
BASH_END = r"""
_promotune() {
  local each word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local n_values="_shtab_promotune_${before//[^[:word:]]/_}_nargs"
  _shtab_promotune
  if [[ $COMP_CWORD -eq 1 && $word != -* ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r each; do COMPREPLY+=("$each"); done < <(_promotune_programs_of "$word")
  elif [[ ${COMP_WORDS[1]} == *.py && ( $before != -* || ${!n_values-} == 0 ) ]]; then
    [[ $word == -* ]] || COMPREPLY=()
    while IFS= read -r each; do COMPREPLY+=("$each"); done < <(_promotune_constants_of "$word")
  fi
  if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o bashdefault -F _promotune promotune
"""

ZSH = (
    LIST
    + r"""
_promotune_experiments_of() { compadd "$@" -- ${(f)"$(_promotune_experiments)"} }
_promotune_spaces_of() { compadd "$@" -- ${(f)"$(_promotune_spaces)"} }
_promotune_constants_of() { compadd "$@" -- ${(f)"$(_promotune_constants $words)"} }
_promotune_searched_of() { compadd -S '' "$@" -- ${(f)"$(_promotune_of searched ${words[3,-1]})"} }
_promotune_running_of() { compadd "$@" -- ${(f)"$(_promotune_of running ${words[3,-1]})"} }
_promotune_trials_of() { compadd "$@" -- ${(f)"$(_promotune_of trials ${words[3,-1]})"} }
_promotune_steered_of() { compadd -S '' "$@" -- ${(f)"$(_promotune_of steered ${words[3,-1]})"} }
_promotune_search_options=($_shtab_promotune_options)
functions[_shtab_promotune_commands_alone]=$functions[_shtab_promotune]
_shtab_promotune() {
  if [[ $CURRENT -gt 2 && $words[2] == *.py ]]; then
    _arguments -s $_promotune_search_options '1: :' '*:constant:_promotune_constants_of'
    return
  fi
  if [[ $CURRENT -eq 2 && $words[2] != -* ]]; then
    _files -g '*.py'
  fi
  _shtab_promotune_commands_alone "$@"
}
"""
)

FISH = (
    r"""
function _promotune_of
  sh -c '"""
    + OF_EXPERIMENT
    + r"""' promotune $argv[1] $argv[4..] 2>/dev/null
end
function _promotune_experiments
  set -l storage $PROMOTUNE_STORAGE
  test -n "$storage"; or set storage $HOME/ray_results
  for each in $storage/*/study.journal $storage/*/space.yaml
    basename (dirname $each)
  end | sort -u
end
function _promotune_spaces
  for each in *.yaml *.yml search_spaces/*.yaml search_spaces/*.yml
    basename $each
  end
end
function _promotune_constants
  for each in $argv
    if string match -q '*.py' -- $each
      sed -nE \
        -e 's/^([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*(:[^=]*)?=[[:space:]]*[-+0-9.([\'"].*/\1/p' \
        -e 's/.*add_argument\(.*(--[A-Za-z][A-Za-z0-9_-]*).*/\1/p' $each 2>/dev/null
      return
    end
  end
end
"""
)
FISH_END = r"""
complete -c promotune -n '_shtab_promotune_using; and test $_shtab_promotune_npos -eq 0' \
  -ka '(__fish_complete_suffix .py)'
"""


def run(given: argparse.Namespace) -> int:
    """Print the script."""
    Screen().print_bytes(script(given.shell).encode())
    return 0


def script(shell: str) -> str:
    """Return the script of bash, zsh or fish."""
    import shtab  # here: no other command needs it

    preamble, end = {"bash": (BASH, BASH_END), "zsh": (ZSH, ""), "fish": (FISH, FISH_END)}[shell]
    root = _whole_parser(with_names=shell != "zsh")  # zsh takes names by a function of its own
    text: str = shtab.complete(root, shell, preamble={shell: preamble})
    return text + end


def _whole_parser(*, with_names: bool) -> argparse.ArgumentParser:
    """Return one parser for all commands; beside them it takes what a search takes."""
    root = argparse.ArgumentParser(SCRIPT, description="Search what a PyTorch Lightning program hardcodes.")
    commands = root.add_subparsers()
    for name, what in COMMANDS.items():
        taken = build_parser(name)
        child = commands.add_parser(name, help=what, description=what)
        _copy(taken.actions, child)
    search = build_parser(SEARCH_PROGRAM)
    _copy([each for each in search.actions if each.option_strings], root)
    space: Any = root.add_argument("--space", metavar="FILE", help="search the space of this file")
    space.complete = SPACES
    root.add_argument("--version", action="version", version="", help="print the version")
    if with_names:
        names: Any = root.add_argument("names", nargs="*")
        names.complete = CONSTANTS
    return root


def _copy(actions: Sequence[argparse.Action], parser: argparse.ArgumentParser) -> None:
    """Give a parser what another one takes, each with what completes it."""
    import shtab

    for each in actions:
        if each.dest == "help":
            continue
        if each.dest == "trainer_argument":
            for name in trainer_args().keys() - OURS.keys():
                parser.add_argument(f"--trainer.{name}", metavar="VALUE", help="of the Trainer")
            continue
        copied: Any = _copy_action(each, parser)
        if each.dest in BY_DEST or (each.dest in BY_PLACE and not each.option_strings):
            copied.complete = {**BY_PLACE, **BY_DEST}[each.dest]
        elif each.dest in FILES:
            copied.complete = getattr(shtab, FILES[each.dest])


def _copy_action(action: argparse.Action, parser: argparse.ArgumentParser) -> argparse.Action:
    names = action.option_strings or [action.dest]
    if action.nargs == 0:
        return parser.add_argument(*names, action="store_true", help=action.help)
    choices = CHOICES.get(action.dest, action.choices)
    return parser.add_argument(*names, nargs=action.nargs, choices=choices, help=action.help, metavar=action.metavar)
