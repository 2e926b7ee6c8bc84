"""What fire makes options of is known by its name on the command line, and the command that has to be named with it."""

import pytest

from tune.promotion.options.declared_options import find_options
from tune.promotion.options.required_words import find_required_words

CLASS = """import fire
class Main:
    def __init__(self, lr=0.1):
        self.lr = lr

    def fit(self, batch_size=8):
        print(self.lr, batch_size, self._hide())

    def test(self, n=3):
        print(n)

    def _hide(self, secret=1):
        return secret

"""
FUNCTIONS = "import fire\ndef go(lr=0.1):\n    print(lr)\n\ndef other(n=3):\n    print(n)\n\n"
PROGRAMS = {
    "a class": (f"{CLASS}fire.Fire(Main)\n", (), {"--lr": 0.1, "--batch_size": 8}, "fit"),
    "a command of it": (f"{CLASS}fire.Fire(Main)\n", ("test",), {"--lr": 0.1, "--n": 3}, "fit"),
    "an object": (f"{CLASS}fire.Fire(Main(0.2))\n", (), {"--batch_size": 8}, "fit"),
    "an object with a name": (f"{CLASS}main = Main()\nfire.Fire(main)\n", (), {"--batch_size": 8}, "fit"),
    "a function": (f"{FUNCTIONS}fire.Fire(go)\n", (), {"--lr": 0.1}, None),
    "a dict": (f"{FUNCTIONS}fire.Fire({{'a': go, 'b': other}})\n", (), {"--lr": 0.1, "--n": 3}, "a"),
    "a command of a dict": (f"{FUNCTIONS}fire.Fire({{'a': go, 'b': other}})\n", ("b",), {"--n": 3}, "a"),
    "all functions": (f"{FUNCTIONS}fire.Fire()\n", ("other",), {"--n": 3}, "go"),
}


@pytest.mark.parametrize(("text", "args", "expected", "command"), PROGRAMS.values(), ids=PROGRAMS)
def test_parameters_of_what_fire_is_given_are_options(program_of, text, args, expected, command):
    program = program_of(text)

    assert {each.name: each.value for each in find_options(program, args)} == expected
    assert [each.example for each in find_required_words(program)] == ([] if command is None else [command])
