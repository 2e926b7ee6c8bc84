# ruff: noqa: E501 - a case is a line
import ast
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tune.errors import ApplyError
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import Program, find_program
from tune.promotion.source_edit import build_diff, has_same_repr, rewrite_sources, write_files

MARK = b"\xef\xbb\xbf"


def program_with(folder, raw: bytes) -> Program:
    path = folder / "train.py"
    path.write_bytes(raw)
    return find_program(path)


def applied(program, **values) -> bytes:
    constants = find_constants(program)
    wanted = {find_constant(name, program, constants, "x"): value for name, value in values.items()}
    rewrites = rewrite_sources(program, wanted)
    return rewrites[0].raw if rewrites else program.source.raw


LITERALS = [
    ("LR = 1e-3", {"LR": 0.0032}, "LR = 3.2e-3"),
    ("LR = 1E-3", {"LR": 0.0032}, "LR = 3.2E-3"),
    ("LR = 0.001", {"LR": 0.0032}, "LR = 0.0032"),
    ("LR = 0.001", {"LR": 1e-7}, "LR = 1e-07"),
    ("LR = .2", {"LR": 0.35}, "LR = .35"),
    ("LR = -1.", {"LR": 2.5}, "LR = 2.5"),
    ("N = 10_000", {"N": 20_000}, "N = 20_000"),
    ("N = (  64  )  # units", {"N": 128}, "N = (  128  )  # units"),
    ("N = 2 ** 6", {"N": 128}, "N = 128"),
    ("S = 'adam'", {"S": "sgd"}, "S = 'sgd'"),
    ('S = "adam"', {"S": "it's"}, 'S = "it\'s"'),
    ('S = "adam"', {"S": 'a"b'}, "S = 'a\"b'"),
    ("X = None", {"X": True}, "X = True"),
    ("H, W = 384, 1024", {"W": 512}, "H, W = 384, 512"),
    ("A = B = 7", {"A": 9, "B": 9}, "A = B = 9"),
    ("B = 0.9, 0.99", {"B": (0.8, 0.99)}, "B = 0.8, 0.99"),
    ("S = [64,  # first\n     32]", {"S": [64, 16]}, "S = [64,  # first\n     16]"),
    ("S = [64, 32]", {"S": [8]}, "S = [8]"),
    ("T = (1,)", {"T": (1, 2)}, "T = (1, 2)"),
    ("T = 1, 2", {"T": (1,)}, "T = (1,)"),
    ("C = {'a' : {'b':1}}", {"C": {"a": {"b": 2}}}, "C = {'a' : {'b':2}}"),
    ("import os\nN = int(os.getenv('N', '4'))", {"N": 8}, "import os\nN = int(os.getenv('N', '8'))"),
    ("from pathlib import Path\nD = Path('a')", {"D": "b"}, "from pathlib import Path\nD = Path('b')"),
    ("def f(width=64): 0\nf(32)", {"f.width": 16}, "def f(width=16): 0\nf(16)"),
    ("import torch\ntorch.optim.Adam(0,lr=1e-3)", {"Adam.lr": 0.01}, "import torch\ntorch.optim.Adam(0,lr=1e-2)"),
    ("C = {'lr': 1e-3}", {"C['lr']": 0.5}, "C = {'lr': 5e-1}"),
    ("LR = 1.0", {"LR": float("inf")}, 'LR = float("inf")'),
]


@pytest.mark.parametrize(("text", "values", "expected"), LITERALS)
def test_only_the_literal_changes_in_the_users_style(tmp_path, text, values, expected):
    assert applied(program_with(tmp_path, text.encode()), **values) == expected.encode()


BYTES = [
    (MARK + b"LR = 1\r\nX = 2\r\n", MARK + b"LR = 5\r\nX = 2\r\n"),
    ("# -*- coding: latin-1 -*-\nS = 'é'; LR = 1  # ü\n".encode("latin-1"),
     "# -*- coding: latin-1 -*-\nS = 'é'; LR = 5  # ü\n".encode("latin-1")),
    ("# coding: cp1251\nS = 'привет'; LR = 1\n".encode("cp1251"), "# coding: cp1251\nS = 'привет'; LR = 5\n".encode("cp1251")),
    ("é = '日本 𝄞'; LR\t=\t1\t# ☃\n".encode(), "é = '日本 𝄞'; LR\t=\t5\t# ☃\n".encode()),
    (b"X = 1\rLR = 1\rY = 2", b"X = 1\rLR = 5\rY = 2"),
    (b"X = 1\r\nY = 2\nZ = 3\rLR = 1", b"X = 1\r\nY = 2\nZ = 3\rLR = 5"),
    ("S = '''a\x0cb\u2028c\x1c'''\n\x0cLR = 1\n".encode(), "S = '''a\x0cb\u2028c\x1c'''\n\x0cLR = 5\n".encode()),
    (b"X = '''\r\n\r\n'''; LR = \\\r\n  1", b"X = '''\r\n\r\n'''; LR = \\\r\n  5"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), BYTES)
def test_encodings_line_ends_and_odd_characters_are_kept_byte_for_byte(tmp_path, raw, expected):
    assert applied(program_with(tmp_path, raw), LR=5) == expected


def test_a_character_that_the_encoding_lacks_is_escaped(tmp_path):
    raw = b"# coding: latin-1\nS = 'a'\n"
    assert applied(program_with(tmp_path, raw), S="日") == b"# coding: latin-1\nS = '\\u65e5'\n"


def test_when_the_values_stand_there_is_nothing_to_do(tmp_path):
    program = program_with(tmp_path, b"LR = 1e-3\nS = [1, 2]\n")
    values = {constant: constant.value for constant in find_constants(program)}
    assert rewrite_sources(program, values) == ()
    assert build_diff(()) == ""


def test_one_name_of_a_chain_is_refused(tmp_path):
    with pytest.raises(ApplyError) as caught:
        applied(program_with(tmp_path, b"A = B = C = 7\n"), A=9, B=9)
    assert str(caught.value) == (
        "train.py:1: A shares its literal with C, which would change with it\n"
        "  Assign A on a line of its own, then apply again."
    )


def test_a_container_and_its_entry_are_not_written_together(tmp_path):
    with pytest.raises(ApplyError) as caught:
        applied(program_with(tmp_path, b"C = {'a': 1}\n"), **{"C": {"a": 2}, "C['a']": 3})
    assert str(caught.value) == "train.py:1: C and C['a'] are written in one expression\n  Apply one of them."


def test_the_diff_is_unified_and_marks_a_missing_line_end(tmp_path):
    program = program_with(tmp_path, b"import os\nLR = 1e-3")
    (constant,) = find_constants(program)
    assert build_diff(rewrite_sources(program, {constant: 0.01})) == (
        "--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n import os\n"
        "-LR = 1e-3\n\\ No newline at end of file\n+LR = 1e-2\n\\ No newline at end of file\n"
    )


def test_writing_keeps_the_mode_and_follows_a_link(tmp_path):
    target = tmp_path / "real.py"
    target.write_bytes(b"LR = 1\n")
    target.chmod(0o755)
    (tmp_path / "train.py").symlink_to(target)
    program = find_program(tmp_path / "train.py")
    (constant,) = find_constants(program)
    write_files(rewrite_sources(program, {constant: 2}))
    assert target.read_bytes() == b"LR = 2\n"
    assert target.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "train.py").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.py", "train.py"]


def test_a_file_that_was_edited_meanwhile_is_not_written(tmp_path):
    program = program_with(tmp_path, b"LR = 1\n")
    (constant,) = find_constants(program)
    rewrites = rewrite_sources(program, {constant: 2})
    program.path.write_bytes(b"LR = 1  # mine\n")
    with pytest.raises(ApplyError) as caught:
        write_files(rewrites)
    assert str(caught.value) == "train.py: the file was edited just now; nothing was written\n  Apply again."
    assert program.path.read_bytes() == b"LR = 1  # mine\n"


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=2)
    ),
    max_leaves=4,
)
SPACE = st.sampled_from(["", " ", "  ", "\t", " \t", "\x0c "])
COMMENT = st.sampled_from(["", "# note", "  # é ☃ 𝄞", "\t#\x0c = 3", "#日本"])
SHAPES = st.sampled_from(
    [
        "{name}{a}={b}{value}{c}{comment}",
        "é{a}={b}'☃𝄞'{a};{name}{a}={b}{value}{c}{comment}",
        "{name}{a}:{b}object{a}={b}{value}{c}{comment}",
        "{name}{a}={b}({a}{value}{b}){c}{comment}",
        "{name}_{a},{name}{a}={b}'ü',{value}{c}{comment}",
        "if{a} True:{end}\t{name}{a}={b}{value}{c}{comment}",
        "D{name}{a}={b}{{'é'{a}:{b}{value}{a},{b}'z':{a}1}}{c}{comment}",
        "{name}{a}={b}\\{end}{value}{c}{comment}",
    ]
)


@st.composite
def sources(draw) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = []
    for number in range(draw(st.integers(1, 4))):
        shape = draw(SHAPES)
        parts = {"a": draw(SPACE), "b": draw(SPACE), "c": draw(SPACE), "comment": draw(COMMENT), "end": end}
        lines.append(shape.format(name=f"V{number}", value=repr(draw(VALUES)), **parts))
        lines.extend(draw(st.lists(COMMENT, max_size=2)))
    mark = MARK if draw(st.booleans()) else b""
    return mark + (end.join(lines) + draw(st.sampled_from(["", end]))).encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=sources(), data=st.data())
def test_apply_round_trips(tmp_path, raw, data):
    """The applied values are found again, all else is kept, and a second time there is nothing to do."""
    program = program_with(tmp_path, raw)
    wanted = re.compile(r"V\d|DV\d\['é'\]")
    constants = [each for each in find_constants(program) if wanted.fullmatch(each.name)]
    values = {constant: data.draw(VALUES, label=constant.name) for constant in constants}
    write_files(rewrite_sources(program, values))
    after = find_program(program.path)
    now = {constant.name: constant for constant in find_constants(after)}
    for constant, value in values.items():
        assert has_same_repr(now[constant.name].value, value)
    assert rewrite_sources(after, {now[constant.name]: value for constant, value in values.items()}) == ()
    assert _outside(after, [now[constant.name] for constant in values]) == _outside(program, list(values))


def _outside(program, constants) -> list[str]:
    """Everything but the constants' expressions, cut by a way of its own: UTF-8 lines, counted as Python does."""
    text = program.source.raw.removeprefix(MARK).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    starts = [0]
    for line in text.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans = sorted(site.span for constant in constants for site in constant.sites)
    kept, last = [], 0
    for span in spans:
        kept.append(text[last : starts[span.line - 1] + span.column].decode())
        last = starts[span.end_line - 1] + span.end_column
    ast.parse(program.source.raw)
    return [*kept, text[last:].decode(), str(program.source.raw.count(b"\r"))]
