"""The metric that a program is judged by, as its source tells it: what its callbacks monitor, else what it logs."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tune.promotion.find.fields import entries_of
from tune.promotion.find.literals import evaluate_literal
from tune.promotion.find.module_scan import CallSite, ModuleScan, Scope, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol, project_of
from tune.promotion.program import Program

Mode = Literal["min", "max"]
Function = ast.FunctionDef | ast.AsyncFunctionDef
SettingKeys = tuple[str, ...]
FindText = Callable[[SettingKeys], str | None]
"""Returns the text of a setting by the keys that a program reads it with: ``cfg, train, monitor`` of
``cfg.train.monitor``; None where it is none, or not certain."""

CALLBACKS = ("ModelCheckpoint", "EarlyStopping")
"""Those that monitor a metric, the first counts most."""

COUNTERS = frozenset({"step", "epoch", "global_step"})
"""What a callback monitors that keeps the last checkpoints: none of them says how good a model is."""

VALIDATION = frozenset(
    {"validation_step", "on_validation_epoch_end", "validation_epoch_end", "on_validation_batch_end"}
)
"""Methods that log what is judged."""

JUDGED = re.compile(r"val\d*|valid|validat\w+|dev|eval\w*")
"""Words of what is logged in validation."""
TRAINING = frozenset({"train", "training"})
STAGES = TRAINING | {"step", "epoch"}
BY_STEP = "_step"
"""The end of what Lightning, or a program, calls a value of one step."""

OF_LOGGERS = frozenset({"log_metrics", "log_metric", "add_scalar", "add_scalars"})
"""Methods of loggers, and of what they write with: a callback of Lightning never sees what they are given."""
OF_TRACKERS = frozenset({"wandb.log", "wandb.run.log", "mlflow.log_metric", "mlflow.log_metrics"})
"""Functions likewise."""

MAX_BASES = 8
"""Classes followed upward."""
MAX_HOPS = 3
"""Calls followed from ``validation_step`` to the helper that logs."""

WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
HIGH = frozenset({"accuracy", "acc", "f1", "auc", "auroc", "auprc", "iou", "miou", "jaccard", "dice", "map", "ap"}) | {
    *("precision", "recall", "sensitivity", "specificity", "score", "r2", "psnr", "ssim", "bleu", "rouge", "kappa"),
    *("mcc", "top1", "top5", "correct", "hit", "ndcg", "mrr", "spearman", "pearson", "corr", "reward", "return"),
}
"""Words of metrics of which more is better."""
ONE_SIDED = frozenset({"precision", "recall", "sensitivity", "specificity"})
"""Those that a model raises by what lowers another: one that calls all things positive recalls them all."""
LOW = frozenset({"loss", "ce", "nll", "bce", "crossentropy", "entropy", "mse", "mae", "rmse", "rmsle", "mape"}) | {
    *("error", "err", "perplexity", "ppl", "wer", "cer", "kl", "kld", "fid", "cost", "lpips", "brier", "loss1"),
    *("absrel", "distance", "dist", "deviation", "rel", "ece"),
}
"""Words of metrics of which less is better; they count more: ``acc_loss`` is a loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A name given to ``self.log``."""

    name: str
    mode: Mode | None
    """None: the name does not tell."""
    origin: str
    """Where it is from: ``ModelCheckpoint, train.py:30``."""
    others: tuple[str, ...] = ()
    """What else is logged in validation."""
    rivals: tuple[str, ...] = ()
    """Where it may be another one as well, all of them: losses of a GAN, or what callbacks in two arms monitor."""

    @property
    def callback(self) -> str:
        """The class of the callback that monitors it; else a part of its origin."""
        return self.origin.partition(",")[0]


def find_metric(program: Program, find_text: FindText = lambda keys: None) -> Metric | None:
    """Return the metric that the source names; None where only running the program can tell.

    ``find_text`` tells what stands in the program's config files and on its command line.
    """
    project = project_of(program)
    tags = {tag: place for tag, place in _find_logged_tags(project) if tag not in COUNTERS}
    monitored = _find_monitored(project, find_text)
    is_judged = any(not is_of_training(tag) for tag in tags)
    if monitored is not None and not (is_judged and is_of_training(monitored.name)):
        return replace(monitored, others=tuple(tag for tag in tags if tag != monitored.name))
    if not tags:
        return None
    name = select_preferred_tag([tag for tag in tags if not _words_of(tag) & TRAINING] or tags)
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


def choose_of_logged(tags: Sequence[str], origin: str) -> Metric:
    """Return the metric that a program is judged by which logs ``tags``, and nothing says more; there is at least one.

    What is logged in validation counts first, then what is logged in a test.
    """
    judged = [tag for tag in tags if any(map(JUDGED.fullmatch, _words_of(tag)))]
    judged = judged or [tag for tag in tags if "test" in _words_of(tag)]
    name = select_preferred_tag(judged or tags)
    rivals: tuple[str, ...] = ()
    if not judged and mode_of(name) == "min":
        losses = [tag for tag in tags if mode_of(tag) == "min" and not tag.endswith(BY_STEP)]
        whole = [tag for tag in losses if _is_whole_loss(tag)]
        name = whole[0] if whole else name
        distinct = {frozenset(_words_of(tag) - STAGES): tag for tag in losses}
        rivals = () if whole or len(distinct) < 2 else tuple(distinct.values())
    others = tuple(tag for tag in tags if tag != name)
    return Metric(name=name, mode=mode_of(name), origin=origin, others=others, rivals=rivals)


def select_preferred_tag(tags: Iterable[str]) -> str:
    """Return the first tag of which more is better, else the first of which less is, else the first.

    What is logged at each step comes behind what is logged of an epoch, a part of a loss behind the whole, and recall
    behind accuracy.
    """
    by_mode: dict[Mode | None, str] = {}
    for tag in sorted(
        tags, key=lambda tag: (tag.endswith(BY_STEP), bool(_words_of(tag) & ONE_SIDED), not _is_whole_loss(tag))
    ):
        by_mode.setdefault(mode_of(tag), tag)
    return next(by_mode[mode] for mode in ("max", "min", None) if mode in by_mode)


def _is_whole_loss(tag: str) -> bool:
    """Tell ``val_loss`` of ``val_kl_loss``, which is one part of it."""
    return {word for word in _words_of(tag) - STAGES if not JUDGED.fullmatch(word)} == {"loss"}


def _words_of(tag: str) -> set[str]:
    return {word.lower() for word in WORD.findall(tag)}


def mode_of(name: str) -> Mode | None:
    """Return which way a metric is better, as its name says; None where it does not."""
    words = _words_of(name)
    words |= {word.rstrip("0123456789") for word in words}
    if words & LOW:
        return "min"
    return "max" if words & HIGH else None


def mode_of_callback(name: str, told: object, *, is_given: bool) -> Mode | None:
    """Return the mode of a callback that monitors ``name``; None where only running the program tells what is given."""
    if told in ("min", "max"):
        return "min" if told == "min" else "max"
    return mode_of(name) or (None if is_given else "min")  # Lightning's default, but for a name that says otherwise


def _find_monitored(project: Project, find_text: FindText) -> Metric | None:
    """Return what the first callback monitors; its rivals are what others of its kind monitor in other arms."""
    found = [
        (metric, called.scope)
        for survey in project.surveys.values()
        for called in survey.calls
        if (metric := _of_callback(called, survey, find_text)) is not None and not _is_dropped(called, survey)
    ]
    first = choose_monitored([metric for metric, _ in found])
    if first is None:
        return None
    scope = next(scope for metric, scope in found if metric is first)
    alike = [(metric, other) for metric, other in found if metric.callback == first.callback]
    names = [metric.name for metric, other in alike if _are_exclusive(scope, other)]
    rivals = tuple(dict.fromkeys((first.name, *names)))
    return replace(first, rivals=rivals if len(rivals) > 1 else ())


def choose_monitored(found: Sequence[Metric]) -> Metric | None:
    """Return the metric that a program is judged by, of those that its callbacks monitor: the first of the first kind.

    What is logged in training counts behind all else: a search by it would choose what fits the training data best.
    """
    return min(found, key=lambda each: (is_of_training(each.name), CALLBACKS.index(each.callback)), default=None)


def is_of_training(name: str) -> bool:
    """Tell whether a metric says by its name that it is logged in training alone."""
    words = _words_of(name)
    return bool(words & TRAINING) and not any(map(JUDGED.fullmatch, words))


def _is_dropped(called: CallSite, survey: ModuleScan) -> bool:
    """Tell whether nothing reads the name that a callback is assigned to, in a function: no Trainer gets it."""
    function = called.scope.function
    for node in () if function is None else ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is called.node:
                return name not in survey.name_reads
    return False


def _are_exclusive(one: Scope, other: Scope) -> bool:
    """Tell whether only one of the two is executed: they stand in different arms of one statement."""
    arms = dict(one.branch)
    return any(arms.get(statement, arm) != arm for statement, arm in other.branch)


def _of_callback(called: CallSite, survey: ModuleScan, find_text: FindText) -> Metric | None:
    callback = (dotted_path(called.node.func) or "").rpartition(".")[2]
    if callback not in CALLBACKS:
        return None
    given = {
        name: value for keyword in called.node.keywords for name, value in find_keyword_values(keyword, called, survey)
    }
    if callback == "EarlyStopping" and called.node.args:
        given.setdefault("monitor", called.node.args[0])
    name, told = (
        _evaluate_text(given.get(key), {}, survey) or find_text(_keys_of(given.get(key))) for key in ("monitor", "mode")
    )
    if name is None or name in COUNTERS:
        return None
    mode = mode_of_callback(name, told, is_given="mode" in given)
    return Metric(name=name, mode=mode, origin=f"{callback}, {survey.place_of_line(called.node.lineno)}")


def _keys_of(node: ast.expr | None) -> SettingKeys:
    """Return the keys by which an expression reads a setting: attributes, subscripts and ``get``."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=key):
            return (*_keys_of(inner), key)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str(key))):
            return (*_keys_of(inner), key)
        case ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            return (*_keys_of(inner), key)
        case _:
            return ()


def find_keyword_values(keyword: ast.keyword, called: CallSite, survey: ModuleScan) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a keyword passes; of ``**`` what stands in the dict that a name was last bound to before the call."""
    value = keyword.value
    if keyword.arg is not None:
        yield keyword.arg, value
        return
    if isinstance(value, ast.Name):
        within = called.scope.function or survey.source.tree
        bound = [
            node.value
            for node in ast.walk(within)
            if isinstance(node, ast.Assign) and node.lineno < called.node.lineno
            for target in node.targets
            if isinstance(target, ast.Name) and target.id == value.id
        ]
        value = bound[-1] if bound else value
    for entry in entries_of("", value):
        yield entry.key, entry.value


def _find_logged_tags(project: Project) -> Iterator[tuple[str, str]]:
    """Yield (tag, place) of what is logged in validation and can be read off the source."""
    for survey in project.surveys.values():
        for owner in ast.walk(survey.source.tree):
            if isinstance(owner, ast.ClassDef):
                methods = {each.name: each for each in owner.body if isinstance(each, Function)}
                for name in methods.keys() & VALIDATION:
                    yield from _follow_log_calls(methods[name], methods, {}, survey, MAX_HOPS)


def find_unjudged_modules(project: Project) -> Iterator[tuple[ModuleScan, ast.ClassDef]]:
    """Yield the LightningModules that have no step of validation, beside one that has; a base of one has its step."""
    modules = [
        ProjectSymbol(survey, node)
        for survey in project.surveys.values()
        for nodes in survey.definitions.values()
        for node in nodes
        if isinstance(node, ast.ClassDef) and project.has_base(ProjectSymbol(survey, node), "LightningModule")
    ]
    above = {id(own.node): {id(own.node), *map(id, _ancestors_of(own, project))} for own in modules}
    judged = {id(own.node) for own in modules if any(each.name in VALIDATION for each in _methods_of(own.node))}
    bases = set[int]().union(*(above[each] for each in judged))
    for own in modules if judged else ():
        if id(own.node) not in bases and judged.isdisjoint(above[id(own.node)]):
            assert isinstance(own.node, ast.ClassDef)
            yield own.survey, own.node


def _ancestors_of(own: ProjectSymbol, project: Project, hops: int = MAX_BASES) -> Iterator[ast.ClassDef]:
    """Yield the classes of the project that a class descends from."""
    for base in own.node.bases if isinstance(own.node, ast.ClassDef) and hops else ():
        found = project.resolve_name(dotted_path(base) or "", own.survey)
        if isinstance(found, ProjectSymbol) and isinstance(found.node, ast.ClassDef):
            yield found.node
            yield from _ancestors_of(found, project, hops - 1)


def _methods_of(node: ast.AST) -> Iterator[Function]:
    yield from (each for each in getattr(node, "body", ()) if isinstance(each, Function))


def _follow_log_calls(
    function: Function, methods: Mapping[str, Function], known: Mapping[str, str], survey: ModuleScan, hops: int
) -> Iterator[tuple[str, str]]:
    """Follow ``self.shared_step(batch, "val")``: ``known`` holds the parameters whose text the call told."""
    calls = [node for node in _walk_reachable(function, known) if isinstance(node, ast.Call) and _is_own(node.func)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        assert isinstance(call.func, ast.Attribute)
        if call.func.attr == "log":
            tag = _evaluate_text(_first_argument(call, "name"), known, survey)
            if tag is not None:
                yield tag, survey.place_of_line(call.lineno)
        elif call.func.attr == "log_dict":
            for tag in _find_keys(_first_argument(call, "dictionary"), known, survey):
                yield tag, survey.place_of_line(call.lineno)
        elif call.func.attr in methods and hops:
            helper = methods[call.func.attr]
            yield from _follow_log_calls(helper, methods, _bind_texts(call, helper, survey), survey, hops - 1)


def _walk_reachable(function: Function, known: Mapping[str, str]) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without the arms that ``if stage == "train"`` leaves out for a known stage."""
    waiting: list[ast.AST] = [function]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.If(test=test, body=body, orelse=orelse) if (holds := _evaluate_test(test, known)) is not None:
                waiting += body if holds else orelse
            case _:
                waiting += ast.iter_child_nodes(node)


def _evaluate_test(test: ast.expr, known: Mapping[str, str]) -> bool | None:
    """Return whether a comparison of a known text with literals holds; None where it is another condition."""
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[operator], comparators=[other]) if name in known:
            value = evaluate_literal(other)
            match operator:
                case ast.Eq() | ast.NotEq() if isinstance(value, str):
                    return (known[name] == value) is isinstance(operator, ast.Eq)
                case ast.In() | ast.NotIn() if isinstance(value, tuple | list):
                    return (known[name] in value) is isinstance(operator, ast.In)
    return None


def _is_own(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self"


def _first_argument(call: ast.Call, name: str) -> ast.expr | None:
    keywords = (keyword.value for keyword in call.keywords if keyword.arg == name)
    return call.args[0] if call.args else next(keywords, None)


def _find_keys(node: ast.expr | None, known: Mapping[str, str], survey: ModuleScan) -> Iterator[str]:
    if isinstance(node, ast.Dict):
        for key in node.keys:
            tag = _evaluate_text(key, known, survey)
            if tag is not None:
                yield tag


def _bind_texts(call: ast.Call, helper: Function, survey: ModuleScan) -> dict[str, str]:
    names = [argument.arg for argument in (*helper.args.posonlyargs, *helper.args.args)][1:]
    defaults = dict(zip(reversed(names), reversed(helper.args.defaults), strict=False))
    given = {**defaults, **dict(zip(names, call.args, strict=False))}
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    texts = {name: _evaluate_text(node, {}, survey) for name, node in given.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _evaluate_text(node: ast.expr | None, known: Mapping[str, str], survey: ModuleScan) -> str | None:
    """Return a text that stands in the source: a literal, a module's constant, an f-string over what is known."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id=name):
            bound = [each.value for each in survey.bindings.get(name, ()) if each.value is not None]
            value = evaluate_literal(bound[0]) if len(bound) == 1 else None
            return value if isinstance(value, str) else None
        case ast.JoinedStr(values=parts):
            return _join_texts([_evaluate_text(part, known, survey) for part in parts])
        case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
            return _evaluate_text(inner, known, survey)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _join_texts([_evaluate_text(left, known, survey), _evaluate_text(right, known, survey)])
        case _:
            return None


def _join_texts(parts: list[str | None]) -> str | None:
    texts = [part for part in parts if part is not None]
    return "".join(texts) if len(texts) == len(parts) else None
