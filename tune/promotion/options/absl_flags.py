"""The options that a program declares with absl: ``flags.DEFINE_float("lr", 1e-3, "help")``."""

from collections.abc import Iterator

from tune.promotion.constant import Site, Span
from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import Project
from tune.promotion.options.option import Option, OptionParser

ABSL_FLAGS = dict.fromkeys(
    ("DEFINE_float", "DEFINE_integer", "DEFINE_string", "DEFINE_bool", "DEFINE_boolean"), ("name", "default")
) | {"DEFINE_enum": ("name", "default", "enum_values")}
"""The functions that declare an option of one value, with those of their arguments by place that count."""


WHOLE = frozenset({"flag_values_dict", "flags_into_string", "key_flags_by_module_dict", "get_key_flags_for_module"})
"""Methods that hand out all flags at once."""


def find_absl_flags(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[Option]:
    """Yield ``--lr`` of a call of one of ``ABSL_FLAGS``."""
    names = ABSL_FLAGS[(dotted_path(called.node.func) or "").rpartition(".")[2]]
    given = dict(zip(names, called.node.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in called.node.keywords if keyword.arg is not None}
    if "name" not in given or "default" not in given:
        return
    dest, value = evaluate_literal(given["name"]), evaluate_literal(given["default"])
    choices = evaluate_literal(given["enum_values"]) if "enum_values" in given else ()
    if isinstance(dest, str):
        yield Option(
            name=f"--{dest}",
            value=value,
            parser=OptionParser.ABSL,
            dest=dest,
            is_read=_is_read(dest, called, survey, project),
            is_float=isinstance(value, float),
            place=survey.place_of_line(called.node.lineno),
            names=(f"--{dest}",),
            choices=tuple(choices) if isinstance(choices, list | tuple) else (),
            default=None if isinstance(value, Unknown) else Site(survey.source.name, Span.from_node(given["default"])),
        )


def _is_read(dest: str, called: CallSite, survey: ModuleScan, project: Project) -> bool:
    """Tell whether the program may read a flag: ``FLAGS.lr``, ``FLAGS["lr"]``, all at once, or by what declares it."""
    is_held = any(called.node is each for held in survey.held.values() for each in held)
    surveys = project.surveys.values()
    n_texts = sum(len(each.strings.get(dest, ())) for each in surveys)  # one of them declares it
    return is_held or n_texts > 1 or any({dest, *WHOLE} & each.attribute_reads.keys() for each in surveys)
