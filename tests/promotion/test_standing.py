import pytest

from tune.promotion.drift import Edited, Removed, Unchanged, find_drift
from tune.promotion.find_constants import find_constants
from tune.promotion.program import find_program

THEN = "import torch\nLR = 1e-3\nC = {'lr': 1}\na = torch.optim.Adam(0, lr=1)\nb = torch.optim.Adam(0, lr=2)\n"

CASES = [
    ("LR", THEN, "same train.py:2"),
    ("LR", "\n\n# more\n" + THEN, "same train.py:5"),
    ("LR", THEN.replace("1e-3", "  ( 1e-3 )  # a comment"), "same train.py:2"),
    ("LR", THEN.replace("1e-3", "0.001"), "same train.py:2"),
    ("LR", THEN.replace("1e-3", "1e-2"), "edited train.py:2: 0.001 -> 0.01"),
    ("LR", THEN.replace("LR = 1e-3\n", ""), "gone"),
    ("LR", THEN + "LR = 2\n", "gone"),
    ("C['lr']", THEN.replace("'lr': 1", "'wd': 0, 'lr': 1"), "same train.py:3"),
    ("Adam.lr@5", "\n" + THEN, "same train.py:6"),
    ("Adam.lr@5", THEN.replace("lr=2", "lr=3"), "edited train.py:5: 2 -> 3"),
    ("Adam.lr@5", THEN.replace("a = torch.optim.Adam(0, lr=1)\n", ""), "gone"),
]


@pytest.mark.parametrize(("name", "now", "expected"), CASES)
def test_a_constant_of_an_edited_source_is_found_again_or_not(tmp_path, name, now, expected):
    programs = []
    for folder, text in (("then", THEN), ("now", now)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.py").write_text(text)
        programs.append(find_program(tmp_path / folder / "train.py"))
    (constant,) = (each for each in find_constants(programs[0]) if name in each.names)
    match find_drift([constant], *programs)[constant]:
        case Unchanged(now=there):
            got = f"same {there.where}"
        case Edited(now=there, was=was, text=text):
            got = f"edited {there.where}: {was} -> {text}"
        case Removed():
            got = "gone"
    assert got == expected
