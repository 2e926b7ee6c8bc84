"""Whether a program may read a value of a config file whose key it does not name."""

import pytest

from tune.promotion.options.declared_options import find_options

LOADED = "import yaml\nfrom library import make\nheld = yaml.safe_load(open('c.yaml'))\n"
FILE = "data: {size: 3}\nSTEPS: 4\n"
OWN = "def own(config):\n    return config['other']\n"
READ = {
    "nothing": ("", []),
    "shown": ("print(held)\nyaml.dump(held, f)\n", []),
    "a function of the program": (f"{OWN}own(held)\n", []),
    "a library": ("make(held)\n", ["data.size=", "STEPS="]),
    "a part that a library takes": ("make(x, held['data'])\n", ["data.size="]),
    "an attribute that a library takes": ("make(box.data)\n", ["data.size="]),
    "what a function of the program passes on": (
        f"def own(config):\n    return make(config)\n{OWN}own(held)\n",
        ["data.size=", "STEPS="],
    ),
    "keys in small letters": (
        "low = {key.lower(): value for key, value in held.items()}\nprint(low['steps'])\n",
        ["STEPS="],
    ),
    "its name": ("print(held['STEPS'])\n", ["STEPS="]),
    "any name": ("getattr(held, name)\n", ["data.size=", "STEPS="]),
    "any section": ("print(held[stage]['size'])\n", ["data.size=", "STEPS="]),
    "a key of another section": ("print(held['other']['size'])\n", []),
    "a key of its section": ("print(held['data']['size'])\n", ["data.size="]),
    "stars": ("own(**held)\n", ["data.size=", "STEPS="]),
}


@pytest.mark.parametrize(("text", "read"), READ.values(), ids=READ)
def test_a_value_counts_as_read_where_what_holds_it_is_taken_as_a_whole(program_of, text, read):
    program = program_of(f"{LOADED}{text}", {"c.yaml": FILE})

    assert [option.name for option in find_options(program) if option.is_read] == read
