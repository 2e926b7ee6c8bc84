"""What docopt reads in a text is known by its name on the command line, with its default."""

import pytest

from tune.promotion.options.declared_options import find_options

USAGE = """Train.

Usage:
  train.py [options]

Options:
  --lr=<lr>             Learning rate
                        [default: 0.01].
  -w N, --width N       Units [default: 8]
  -n <name>             Its name.
  --fast                Be fast.
  -h --help             Show this.
"""
CALLS = {
    "the text of the file": f'"""{USAGE}"""\nimport docopt\ndocopt.docopt(__doc__)\n',
    "a name": f'from docopt import docopt\nTEXT = """{USAGE}"""\ndocopt(TEXT)\n',
    "itself": f'from docopt import docopt\ndocopt("""{USAGE}""")\n',
    "a keyword": f'"""{USAGE}"""\nfrom docopt import docopt\ndocopt(doc=__doc__, version="1")\n',
}


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
def test_options_of_a_usage_text_are_known(program_of, text):
    options = find_options(program_of(text))

    assert [(each.names, each.value, each.is_flag) for each in options] == [
        (("--lr",), 0.01, False),
        (("--width", "-w"), 8, False),
        (("-n",), None, False),
        (("--fast",), False, True),
    ]


def test_the_place_of_an_option_is_its_line_in_the_text(program_of):
    program = program_of(CALLS["a name"])

    (line,) = [number for number, each in enumerate(program.source.text.splitlines(), 1) if "--width N" in each]
    assert find_options(program)[1].place == f"{program.source.name}:{line}"


def test_a_text_that_is_put_together_has_no_options_to_read(program_of):
    assert find_options(program_of("from docopt import docopt\ndocopt(HEAD + __doc__)\n")) == ()
