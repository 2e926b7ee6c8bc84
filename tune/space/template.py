"""A space file as a person would write it: short, with a comment on each line that says where it comes from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tune.space.dimensions import Dimension, Value, arguments_of, kind_of
from tune.space.parse_dimension import parse_scalar

PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
"""A string that needs no quotes, unless it is one of YAML's own words."""

LONGEST_REMARK = 160
"""Characters of a comment."""

LEAST_PLAIN, MOST_PLAIN = 1e-2, 1e5
"""Floats between are written without an exponent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateLine:
    """One constant."""

    key: str
    dimension: Dimension | None
    """None: the line is a comment until the user has written a range."""
    held: Value
    """What an unfinished line offers as its first option; None: nothing."""
    is_whole: bool = False
    """Whether an unfinished line is about an int."""
    remark: str
    """The value that the source holds, its place, and a word about the range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceTemplate:
    """All that the file says."""

    title: str
    shape: str
    """``system`` or ``script``."""
    program: str
    """Its path, as the file is to say it."""
    args: Sequence[str] = ()
    """What a script is given on its command line."""
    metric: str
    metric_remark: str
    mode: str
    constants: Sequence[TemplateLine]
    max_epochs: int | None
    """None: the program says it."""
    epochs_remark: str = ""
    trainer: Mapping[str, Value] = field(default_factory=dict)
    """Further arguments of the Trainer."""


def render_space_template(draft: SpaceTemplate) -> str:
    """Return the file's text."""
    return "\n".join(_render_lines(draft)) + "\n"


def _render_lines(draft: SpaceTemplate) -> Iterator[str]:
    yield f"# {_one_line(draft.title)}"
    yield f"{draft.shape}: {format_inline_yaml(draft.program)}"
    if draft.args:
        yield f"args: {format_inline_yaml(list(draft.args))}"
    yield f"metric: {format_inline_yaml(draft.metric)}  # {_one_line(draft.metric_remark)}"
    yield f"mode: {draft.mode}"
    yield "constants:"
    for line in draft.constants:
        yield _render_constant(line)
    yield "trials: 20  # the first runs the values that the source holds"
    epochs = {} if draft.max_epochs is None else {"max_epochs": draft.max_epochs}
    trainer: dict[str, Value] = {**epochs, **draft.trainer}
    if trainer:
        yield f"trainer: {format_inline_yaml(trainer)}" + (f"  # {_one_line(draft.epochs_remark)}" if epochs else "")


def _render_constant(line: TemplateLine) -> str:
    remark = _one_line(line.remark)
    if line.dimension is not None:
        arguments = ", ".join(format_inline_yaml(each) for each in arguments_of(line.dimension))
        return f"  {format_inline_yaml(line.key)}: {{{kind_of(line.dimension)}: [{arguments}]}}  # {remark}"
    kind = "randint" if line.is_whole else "uniform"
    example = f"{kind}: [LOW, HIGH]" if line.held is None else f"choice: [{format_inline_yaml(line.held)}, ...]"
    return f"  # {format_inline_yaml(line.key)}: {{{example}}}  # {remark}, and uncomment the line"


def format_inline_yaml(value: Value) -> str:
    """Return a value as YAML, on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _format_float(value)
        case str():
            return value if PLAIN.fullmatch(value) and isinstance(parse_scalar(value), str) else _quote_text(value)
        case tuple() | list():
            return f"[{', '.join(map(format_inline_yaml, value))}]"
        case dict():
            return (
                "{"
                + ", ".join(f"{format_inline_yaml(key)}: {format_inline_yaml(item)}" for key, item in value.items())
                + "}"
            )
        case _:
            return str(value)


def _format_float(value: float) -> str:
    """``1e-4`` and ``0.05``: what reads back the same in the fewest characters."""
    text = repr(value)
    if value == 0 or LEAST_PLAIN < abs(value) < MOST_PLAIN or "n" in text:
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)
    shortest = next(text for digits in range(18) if float(text := f"{value:.{digits}e}") == value)
    mantissa, _, exponent = shortest.partition("e")
    return f"{mantissa}e{int(exponent)}"


def _quote_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in escaped) + '"'


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REMARK else f"{line[: LONGEST_REMARK - 3]}..."
