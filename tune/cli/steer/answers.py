"""How the driver's answers are shown."""

from tune.cli.terminal.screen import Screen
from tune.errors import ExperimentError
from tune.experiment.requests import RequestAnswer


def show_answer(answer: RequestAnswer, *, as_json: bool) -> int:
    """Print what the driver says; raise ExperimentError where it refuses."""
    screen = Screen()
    if as_json:
        told = {"taken": answer.taken, "trial": answer.trial, "what": answer.what, "hint": answer.hint}
        screen.print_json(told)
        return 0 if answer.taken else ExperimentError.exit_status
    if not answer.taken:
        raise ExperimentError(None, answer.what, answer.hint)
    screen.print_line(answer.what)
    if answer.hint is not None:
        screen.print_line(f"  {answer.hint}")
    return 0
