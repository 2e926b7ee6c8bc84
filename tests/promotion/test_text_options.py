"""A text is one of those that the source knows: keys of a dict, or what it is compared with."""

import pytest

from tune.promotion.find.text_options import find_text_options
from tune.promotion.program import find_program

DICT = "OPTS = {'sgd': SGD, 'lion': Lion}\n"
CHAIN = """
def build(self):
    if self.hparams.optimizer == "sgd":
        return 1
    elif self.hparams.optimizer == "lion":
        return 2
    raise ValueError
"""
KNOWN = {
    "a dict at the module": DICT + "make = OPTS[OPT]\n",
    "a dict where it is used": "make = {'sgd': SGD, 'lion': Lion}[OPT]\n",
    "get": DICT + "make = OPTS.get(OPT, SGD)\n",
    "a dict that an object holds": "class N:\n    def a(self):\n        self.opts = {'sgd': 1, 'lion': 2}\n"
    "    def b(self):\n        return self.opts[self.hparams['optimizer']]\n",
    "a check": "if OPT not in ('sgd', 'lion'):\n    raise ValueError\n",
    "a check against a dict": DICT + "assert OPT in OPTS\n",
    "comparisons": CHAIN,
    "small letters": DICT + "make = OPTS[OPT.lower()]\n",
    "match": "def f(optimizer):\n    match optimizer:\n        case 'sgd':\n            return 1\n"
    "        case 'lion':\n            return 2\n",
}


def options_of(tmp_path, text, value="sgd"):
    path = tmp_path / "p.py"
    path.write_text(f"OPT = {value!r}\n{text}")
    return find_text_options(find_program(path), ["OPT", "optimizer"], value)


@pytest.mark.parametrize("text", KNOWN.values(), ids=KNOWN)
def test_what_the_source_knows_is_what_is_offered(tmp_path, text):
    assert options_of(tmp_path, text) == ("sgd", "lion")


def test_the_value_keeps_its_spelling_where_the_program_asks_for_small_letters(tmp_path):
    assert options_of(tmp_path, DICT + "make = OPTS[OPT.lower()]\n", "SGD") == ("SGD", "lion")


UNKNOWN = {
    "another name is looked up": DICT + "make = OPTS[NAME]\n",
    "the value is no key": "make = {'adam': 1, 'lion': 2}[OPT]\n",
    "one text alone": "if OPT == 'sgd':\n    pass\n",
    "keys that are no texts": "make = {'sgd': 1, 2: 3}[OPT]\n",
    "two functions that compare another value": "def f(optimizer):\n    return optimizer == 'sgd'\n"
    "def g(other):\n    return other == 'lion'\n",
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_where_the_source_does_not_say_nothing_is_offered(tmp_path, text):
    assert options_of(tmp_path, text) == ()
