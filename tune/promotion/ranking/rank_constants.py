"""Which constants are worth a search, and which of them first: by their names, and by what takes them."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from tune.promotion.configs.set_elsewhere import SetElsewhere, is_group_of_one
from tune.promotion.constant import Constant, ConstantKind, Site, Span
from tune.promotion.find.layer_widths import find_last_widths, is_image_shape
from tune.promotion.find.literals import Unknown
from tune.promotion.find.project import project_of
from tune.promotion.find.usages import find_evaluation_loaders
from tune.promotion.find.value_flow import receiving_parameters
from tune.promotion.find_constants import find_all
from tune.promotion.metric.logged_tags import find_unjudged_modules
from tune.promotion.options.declared_options import find_options, is_lightning_cli
from tune.promotion.options.option import REPLACED, Option
from tune.promotion.program import Program
from tune.promotion.program_kind import does_something
from tune.promotion.ranking.rank import MACHINERY, PROMISING_OF_MACHINERY, Rank, rank_of_receiver, rank_of_words
from tune.promotion.ranking.unused_definitions import find_unused_definitions
from tune.promotion.symbols import suggest_symbols
from tune.space.dimensions import Value, is_int, is_number
from tune.space.suggest_range import words_of

NEVER = (
    frozenset({"seed", "random", "workers", "worker", "verbose", "log", "logs", "every", "device", "devices", "gpus"})
    | frozenset({"path", "dir", "root", "folder", "file", "name", "version", "port", "host", "project", "checkpoint"})
    | frozenset({"classes", "labels", "input", "output", "in", "vocab", "precision", "accelerator", "nodes", "threads"})
    | frozenset({"prefetch", "interval", "save", "top", "eps", "epsilon", "image", "img", "pixels", "crop", "axis"})
    | frozenset({"num_sanity_val_steps"})
)
"""Words of names that no search varies: of the machine, the data and the output."""

OF_EVALUATION = frozenset({"val", "valid", "validation", "eval", "evaluation", "test", "predict", "prediction"})
"""Words of the batch size of a loader that trains nothing."""
OF_INPUT = frozenset({"in_features", "in_channels", "input_size"})
"""Parameters of torch's layers that say how wide their input is: where nothing else takes a value, the data has it."""
OF_THE_DATA = frozenset({"input", "output", "in"})
"""Words of one width that the data has; of several widths they say nothing."""


BY_ITS_CALLEE = frozenset({Rank.WIDTH, Rank.SCHEDULE})
"""Kinds whose words, such as ``dim``, say nothing in a call of an unknown function: ``argmax.dim``."""

WIDTHS_OF_LAYERS = frozenset({"channels", "filters", "features", "planes", "feature", "channel"})
"""Words beside ``out`` in the width of a layer; others are of the data: ``out_dim``, ``n_out``."""
KEYS = frozenset({"mapping", "keys", "key", "columns", "column", "names", "fields"})
"""Words of what holds names: ``key_mapping['loss']`` is no choice of a loss."""

LEAST_WIDTH = 4
"""Below this an output of a layer is a number of classes or of coordinates."""

MACHINERY_OF_CONFIGS = frozenset({"trainer", "callbacks", "logger", "loggers", "hydra", "paths", "extras"})
"""Parts of a config, or of LightningCLI's options, that are no model's."""

TEXTS = frozenset({"optimizer", "optim", "opt", "activation", "act", "scheduler", "schedule", "loss"})
"""Words of names whose texts are worth a search."""

TYPE = re.compile(r"(\w+\.)*[A-Z]\w*\[")
"""``NDArray[float]``: a name for a type."""


class ConstantRanking:
    """How promising the constants of a program are."""

    def __init__(self, program: Program, options: Sequence[Option] | None = None, args: Sequence[str] = ()) -> None:
        """``options``: the program's, where they were found already; ``args``: what it is given."""
        self._program = program
        self._options = find_options(program) if options is None else options
        self._flows = find_all(program).flows
        self._elsewhere = SetElsewhere(program, self._options, args)
        self._ranks: dict[int, tuple[Constant | Option, Rank | None]] = {}  # by ``id``: to hash a constant takes long

    def is_promising(self, held: Constant | Option) -> bool:
        """Tell whether a search of it may gain something."""
        return self.rank_of(held) is not None and not is_never_read(held)

    def is_judged(self, held: Constant | Option) -> bool:
        """Tell whether a constant may change the score: it is none of a module that logs nothing in validation.

        Where no LightningModule of the program logs there, each is judged.
        """
        return not (isinstance(held, Constant) and _lies_in(held, self._unjudged_lines))

    def rank_of(self, held: Constant | Option) -> Rank | None:
        """Return its kind; None where a search of it is not promising."""
        if (known := self._ranks.get(id(held))) is None:
            known = self._ranks[id(held)] = held, self._find_rank(held)
        return known[1]

    def _find_rank(self, held: Constant | Option) -> Rank | None:
        held = drop_vague_holder(held)
        words = frozenset(words_of(telling_name(held.name, held)))
        if self._elsewhere.sets_parameter(held) or (isinstance(held, Constant) and _lies_in(held, self._unused_lines)):
            return None
        if isinstance(held, Constant) and suggest_symbols(held, self._program):
            return Rank.SCHEDULE  # an activation or an optimizer, by its name
        if {"batch", "size"} <= words:
            words -= {"device", "devices"}  # per_device_train_batch_size
        never = NEVER - OF_THE_DATA if isinstance(held.value, tuple | list) else NEVER
        if not _is_searchable(held.value, words) or words & never or _is_no_hyperparameter(held, words):
            return None
        if self._is_passed_on(held):
            return None
        if isinstance(held, Option) and _is_of_machinery(held, words):
            return None
        if isinstance(held, Option) and held.dest.startswith("model.") and is_number(held.value):
            return rank_of_words(words) or self._rank_of_receivers(held) or Rank.OTHER
        if isinstance(held, Constant) and held.form is ConstantKind.ARGUMENT and held.holder is None:
            return self._rank_of_argument(held, words)
        if self._is_width_of_data(held) or (words >= {"batch", "size"} and words & OF_EVALUATION):
            return None
        rank = rank_of_words(words) or self._rank_of_receivers(held) or self._rank_in_model(held)
        return None if rank is Rank.LEARNING_RATE and held.value == 0 else rank  # a scheduler sets it

    def _rank_of_argument(self, held: Constant, words: frozenset[str]) -> Rank | None:
        ((callee, parameter),) = receiving_parameters(held, self._flows)
        known = rank_of_receiver(callee, parameter)
        if known is Rank.BATCH_SIZE and all(self._is_of_evaluation(site) for site in held.sites):
            return None
        if held.bound_to is not None or (known is Rank.WIDTH and is_int(held.value) and held.value < LEAST_WIDTH):
            return None
        if known is Rank.LEARNING_RATE and held.value == 0:
            return None
        if parameter == "out_features" and {(site.source, site.span.line) for site in held.sites} <= self._last_outputs:
            return None
        if known is not None or callee in self._torch_module_names:
            return known or Rank.OTHER
        rank = rank_of_words(words)
        is_known = rank not in BY_ITS_CALLEE or callee in self._functions_with_stars
        return rank if is_known and callee not in MACHINERY else None

    def _is_width_of_data(self, held: Constant | Option) -> bool:
        """Tell what layers take as the width of their input alone, and what a class holds that serves data."""
        receivers = receiving_parameters(held, self._flows)
        if is_image_shape(held.value) or (receivers and all(parameter in OF_INPUT for _, parameter in receivers)):
            return True
        owner, _, last = held.name.rpartition(".")
        words = frozenset(words_of(last))
        if words & {"width", "height"} and owner in self._owners_of_heights:  # of an image
            return True
        return rank_of_words(words) is Rank.WIDTH and owner in self._data_names

    def _is_of_evaluation(self, site: Site) -> bool:
        return any(span.is_around(site.span) for span in self._evaluation_spans.get(site.source, ()))

    def _rank_of_receivers(self, held: Constant | Option) -> Rank | None:
        receivers = receiving_parameters(held, self._flows)
        ranks = [rank for callee, parameter in receivers if (rank := rank_of_receiver(callee, parameter)) is not None]
        in_model = any(callee in self._torch_module_names for callee, _ in receivers) and is_number(held.value)
        return min(ranks, default=Rank.OTHER if in_model else None)

    def _rank_in_model(self, held: Constant | Option) -> Rank | None:
        """Return OTHER for a number that one of the program's modules holds or takes; many methods draw or log."""
        owner, dot, rest = held.name.partition(".")
        if not dot or (isinstance(held, Constant) and held.form is ConstantKind.PARAMETER and "." in rest):
            return None
        return Rank.OTHER if owner in self._torch_module_names and is_number(held.value) else None

    def _is_passed_on(self, held: Constant | Option) -> bool:
        """Tell a value that another name holds: ``width``, ``self.width``, ``args.width`` of an option, a type."""
        value = held.value
        if not isinstance(value, Unknown):
            return False
        if self._elsewhere.reads_setting(held):
            return True
        head, _, rest = value.text.partition(".")
        return value.text.isidentifier() or head == "self" or rest in self._option_dests or bool(TYPE.match(value.text))

    @cached_property
    def _unused_lines(self) -> dict[str, list[range]]:
        """The lines of what the program never builds or calls, by file; none where the search would build one."""
        found: dict[str, list[range]] = {}
        project = project_of(self._program)
        if does_something(project) or any(is_lightning_cli(each, project.main, project) for each in project.main.calls):
            for survey, node in find_unused_definitions(project, self._elsewhere.find_unbuilt_classes()):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                found.setdefault(survey.source.name, []).append(lines)
        return found

    @cached_property
    def _unjudged_lines(self) -> dict[str, list[range]]:
        """The lines of LightningModules that log nothing in validation, beside one that does, by file."""
        found: dict[str, list[range]] = {}
        for survey, node in find_unjudged_modules(project_of(self._program)):
            found.setdefault(survey.source.name, []).append(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return found

    @cached_property
    def _evaluation_spans(self) -> dict[str, list[Span]]:
        """The code that makes loaders for validation, test and prediction alone, by file."""
        return {
            survey.source.name: [Span.from_node(node) for node in find_evaluation_loaders(survey.source.tree)]
            for survey in project_of(self._program).surveys.values()
        }

    @cached_property
    def _last_outputs(self) -> frozenset[tuple[str, int]]:
        """File and line of the width of each class's last linear layer: the data has it."""
        return find_last_widths(project_of(self._program))

    @cached_property
    def _functions_with_stars(self) -> frozenset[str]:
        """The names of the program's functions that pass on what they are given: ``def train(**settings)``."""
        return frozenset(
            node.name
            for survey in project_of(self._program).surveys.values()
            for nodes in survey.definitions.values()
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.kwarg is not None
        )

    @cached_property
    def _owners_of_heights(self) -> frozenset[str]:
        """What has a height: the width beside it is of an image."""
        named = [each.name for each in find_all(self._program).constants]
        return frozenset(
            owner for owner, _, last in (name.rpartition(".") for name in named) if "height" in words_of(last)
        )

    @cached_property
    def _option_dests(self) -> frozenset[str]:
        return frozenset(option.dest for option in self._options)

    @cached_property
    def _torch_module_names(self) -> frozenset[str]:
        """The names of the program's modules."""
        return project_of(self._program).names_below("LightningModule", "Module")

    @cached_property
    def _data_names(self) -> frozenset[str]:
        """The names of the program's classes that serve data."""
        return project_of(self._program).names_below("LightningDataModule", "Dataset", "IterableDataset")


def _lies_in(held: Constant, lines: Mapping[str, Sequence[range]]) -> bool:
    return all(any(site.span.line in each for each in lines.get(site.source, ())) for site in held.sites)


def drop_vague_holder(held: Constant | Option) -> Constant | Option:
    """Return a constant without its holder where its own name alone tells its kind: ``net = create(dropout=0.1)``."""
    if isinstance(held, Option) or held.holder is None:
        return held
    words = frozenset(words_of(held.holder))
    own = frozenset(words_of(held.name.partition("@")[0].rpartition(".")[2]))
    is_vague = rank_of_words(words) is None and not words & NEVER
    return replace(held, holder=None) if is_vague and rank_of_words(own) is not None else held


def telling_name(name: str, held: Constant | Option) -> str:
    """Return the name that says what a value is: of ``LR = from_environment("LR", default=1e-3)`` it is LR."""
    return name if isinstance(held, Option) or held.holder is None else held.holder


def is_never_read(held: Constant | Option) -> bool:
    """Tell whether the source shows that nothing reads it, or nothing that is executed."""
    return not held.reads if isinstance(held, Constant) else not held.is_read or held.is_replaced


def describe_unread(held: Constant | Option) -> str:
    """Return why a value that is never read has no effect."""
    return REPLACED if isinstance(held, Option) and held.is_replaced else "nothing in the program reads it"


def _is_searchable(value: Value | Unknown, words: frozenset[str]) -> bool:
    """Tell a number, several of them, or a text that is a choice: an optimizer's name."""
    match value:
        case bool():
            return False
        case str():
            return bool(words & TEXTS)
        case None | Unknown():
            return not words & TEXTS or rank_of_words(words - TEXTS) is not None
        case tuple() | list():
            return bool(value) and all(map(is_number, value))
        case dict():
            return False
        case _:
            return True


def _is_of_machinery(held: Option, words: frozenset[str]) -> bool:
    """Tell an option of a Trainer, a callback or the like, and the batch size of a loader that trains nothing."""
    part, dot, _ = held.dest.partition(".")
    last = held.dest.rpartition(".")[2]
    if dot and part in MACHINERY_OF_CONFIGS and not PROMISING_OF_MACHINERY.fullmatch(last):
        return True
    return {"batch", "size"} <= words and any(OF_EVALUATION & {*words_of(each)} for each in held.dest.split("."))


def _is_no_hyperparameter(held: Constant | Option, words: frozenset[str]) -> bool:
    return (
        _is_endless(held.value, words)
        or _is_of_the_data(held, words)
        or _is_of_a_drawing(held)
        or _is_name_of_a_key(held)
        or (isinstance(held, Option) and is_group_of_one(held))
    )


def _is_of_the_data(held: Constant | Option, words: frozenset[str]) -> bool:
    """Tell an axis, such as ``dim=1``, and a number of outputs."""
    numbers = held.value if isinstance(held.value, tuple | list) else (held.value,)
    is_axis = words <= {"dim", "dims"} and all(is_int(each) and each < LEAST_WIDTH for each in numbers)
    return is_axis or ("out" in words and not words & WIDTHS_OF_LAYERS and "dropout" not in words)


def _is_name_of_a_key(held: Constant | Option) -> bool:
    owner = re.findall(r"\w+", held.name)[:-1]
    return isinstance(held.value, str) and any(KEYS & {*words_of(each)} for each in owner)


def _is_of_a_drawing(held: Constant | Option) -> bool:
    """Tell a fraction that is called `width` and nothing else: of a bar or a line, for a layer has whole numbers."""
    last = frozenset(words_of(held.name.rpartition(".")[2]))
    return isinstance(held.value, float) and not held.value.is_integer() and last == {"width"}


def _is_endless(value: Value | Unknown, words: frozenset[str]) -> bool:
    """Tell Lightning's -1 for a training that only another limit ends."""
    return is_int(value) and value < 0 and rank_of_words(words) is Rank.EPOCHS
