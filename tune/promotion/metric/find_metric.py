"""The metric that a program is judged by, as its source tells it: what its callbacks monitor, else what it logs."""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from tune.promotion.find.containers import entries_of
from tune.promotion.find.module_scan import CallSite, ModuleScan, Scope, dotted_path
from tune.promotion.find.project import LibrarySymbol, Project, ProjectSymbol, project_of
from tune.promotion.metric.conditions import NO_SETTINGS, Conditions, KnownSettings, SettingKeys, keys_of
from tune.promotion.metric.logged_tags import evaluate_text, find_logged_tags
from tune.promotion.metric.metric import (
    CALLBACKS,
    TRAINING,
    Metric,
    choose_monitored,
    is_of_training,
    mode_of,
    mode_of_callback,
    select_preferred_tag,
    words_of,
)
from tune.promotion.program import Program

COUNTERS = frozenset({"step", "epoch", "global_step"})
"""What a callback monitors that keeps the last checkpoints: none of them says how good a model is."""
OF_LOGGERS = frozenset({"log_metrics", "log_metric", "add_scalar", "add_scalars"})
"""Methods of loggers, and of what they write with: a callback of Lightning never sees what they are given."""
OF_TRACKERS = frozenset({"wandb.log", "wandb.run.log", "mlflow.log_metric", "mlflow.log_metrics"})
"""Functions likewise."""


def find_metric(
    program: Program, settings: KnownSettings = NO_SETTINGS, of_last_fit: Collection[str] | None = None
) -> Metric | None:
    """Return the metric that the source names; None where only running the program can tell.

    ``settings``: what stands in the program's config files and on its command line. ``of_last_fit``: what the module
    that is fitted last logs in validation, None where that is not known. A metric of another one says nothing of it.
    """
    project = project_of(program)
    found = [tag for tag in find_logged_tags(project, settings) if tag.name not in COUNTERS]
    strange = {tag.name for tag in found} if of_last_fit is not None and not of_last_fit else set[str]()
    found = [tag for tag in found if tag.name not in strange]
    tags = {tag.name: tag.place for tag in found}
    monitored = _find_monitored(project, settings, of_last_fit or (), strange)
    is_judged = any(not is_of_training(tag) for tag in tags)
    if monitored is not None and not (is_judged and is_of_training(monitored.name)):
        return replace(monitored, others=tuple(tag for tag in tags if tag != monitored.name))
    if not tags:
        return None
    judging = [tag for tag in tags if tag in (of_last_fit or ())] or list(tags)
    judging = [tag for tag in judging if not words_of(tag) & TRAINING] or judging
    certain = {tag.name for tag in found if tag.is_certain}
    name = select_preferred_tag([tag for tag in judging if tag in certain] or judging)
    others = tuple(tag for tag in tags if tag != name)
    return Metric(name=name, mode=mode_of(name), origin=f"logged in {tags[name]}", others=others)


def find_given_to_logger(program: Program, metric: str) -> str | None:
    """Return file:line of the first call that gives a metric to a logger or a tracker; None where none does."""
    for source in program.sources.values():
        calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and _is_of_logger(node.func)]
        for call in sorted(calls, key=lambda call: call.lineno):
            if any(isinstance(node, ast.Constant) and node.value == metric for node in ast.walk(call)):
                return f"{source.name}:{call.lineno}"
    return None


def _is_of_logger(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and (function.attr in OF_LOGGERS or dotted_path(function) in OF_TRACKERS)


def _find_monitored(
    project: Project, settings: KnownSettings, of_last_fit: Collection[str], strange: Collection[str]
) -> Metric | None:
    """Return what the first callback monitors; its rivals are what others of its kind monitor in other arms.

    ``of_last_fit``: what counts first. ``strange``: what other modules alone log.
    """
    found = [
        (metric, called.scope)
        for survey in project.surveys.values()
        for called in survey.calls
        if (metric := _of_callback(called, survey, project, settings)) is not None
        and metric.name not in strange
        and not _is_dropped(called, survey)
        and not is_left_out(called, survey, settings)
    ]
    monitored = [metric for metric, _ in found]
    first = choose_monitored([each for each in monitored if each.name in of_last_fit] or monitored)
    if first is None:
        return None
    scope = next(scope for metric, scope in found if metric is first)
    alike = [(metric, other) for metric, other in found if metric.callback == first.callback]
    names = [metric.name for metric, other in alike if _are_exclusive(scope, other)]
    rivals = tuple(dict.fromkeys((first.name, *names)))
    return replace(first, rivals=rivals if len(rivals) > 1 else ())


def _is_dropped(called: CallSite, survey: ModuleScan) -> bool:
    """Tell whether nothing reads the name that a callback is assigned to, in a function: no Trainer gets it."""
    function = called.scope.function
    for node in () if function is None else ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is called.node:
                return name not in survey.name_reads
    return False


def is_left_out(called: CallSite, survey: ModuleScan, settings: KnownSettings) -> bool:
    """Tell whether a call stands in an arm that is known not to be executed."""
    branch = called.scope.branch
    statements = {id(node): node for node in ast.walk(survey.source.tree)} if branch else {}
    return Conditions(settings).is_left_out(branch, statements)


def _are_exclusive(one: Scope, other: Scope) -> bool:
    """Tell whether only one of the two is executed: they stand in different arms of one statement."""
    arms = dict(one.branch)
    return any(arms.get(statement, arm) != arm for statement, arm in other.branch)


def find_kind_of_callback(name: str, seen_in: ModuleScan, project: Project) -> str | None:
    """Return which of ``CALLBACKS`` a name means: one of them, as what it may be imported, or a class below it."""
    match project.resolve_name(name, seen_in):
        case ProjectSymbol() as own:
            inherited = next((each for each in CALLBACKS if project.has_base(own, each)), None)
            return inherited or _select_callback(name)
        case LibrarySymbol(path=path):
            return _select_callback(path)
        case _:
            return _select_callback(name)


def _select_callback(path: str) -> str | None:
    last = path.rpartition(".")[2]
    return last if last in CALLBACKS else None


def _find_called_kind(called: CallSite, survey: ModuleScan, project: Project) -> str | None:
    """Return the callback that a call makes, or that a class makes itself: ``super().__init__(monitor="val_acc")``."""
    if called.scope.owner is not None and _is_call_of_base(called):
        return find_kind_of_callback(called.scope.owner.name, survey, project)
    return find_kind_of_callback(dotted_path(called.node.func) or "", survey, project)


def _is_call_of_base(called: CallSite) -> bool:
    match called.node.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"):
            return True
        case _:
            return False


def _of_callback(called: CallSite, survey: ModuleScan, project: Project, settings: KnownSettings) -> Metric | None:
    callback = _find_called_kind(called, survey, project)
    if callback is None:
        return None
    given = {
        name: value for keyword in called.node.keywords for name, value in find_keyword_values(keyword, called, survey)
    }
    if callback == "EarlyStopping" and called.node.args:
        given.setdefault("monitor", called.node.args[0])
    if _is_call_of_base(called):
        settings = NO_SETTINGS  # its names are arguments of the class
    spread = [keys_of(_find_bound(each.value, called, survey)) for each in called.node.keywords if each.arg is None]
    name, told = (
        _find_text(given.get(word), [(*keys, word) for keys in spread if keys], survey, settings)
        for word in ("monitor", "mode")
    )
    if name is None or name in COUNTERS:
        return None
    mode = mode_of_callback(name, told, is_given="mode" in given or told is not None)
    return Metric(name=name, mode=mode, origin=f"{callback}, {survey.place_of_line(called.node.lineno)}")


def _find_text(
    node: ast.expr | None, spread: Sequence[SettingKeys], survey: ModuleScan, settings: KnownSettings
) -> str | None:
    """Return the text of an argument: of its expression, else of what ``**config["early_stopping"]`` reads."""
    if node is not None:
        return evaluate_text(node, {}, survey, settings) or settings.find_text(keys_of(node))
    texts = (settings.find_text(keys, n_alike=min(2, len(keys))) for keys in spread)
    return next((text for text in texts if text is not None), None)


def find_keyword_values(keyword: ast.keyword, called: CallSite, survey: ModuleScan) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a keyword passes; of ``**`` what stands in the dict that a name was last bound to before the call."""
    value = keyword.value
    if keyword.arg is not None:
        yield keyword.arg, value
        return
    for entry in entries_of("", _find_bound(value, called, survey)):
        yield entry.key, entry.value


def _find_bound(value: ast.expr, called: CallSite, survey: ModuleScan) -> ast.expr:
    """Return what a name was last bound to before a call; any other expression as it is."""
    if not isinstance(value, ast.Name):
        return value
    within = called.scope.function or survey.source.tree
    bound = [
        node.value
        for node in ast.walk(within)
        if isinstance(node, ast.Assign) and node.lineno < called.node.lineno
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == value.id
    ]
    return bound[-1] if bound else value
