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


WRITTEN = {
    "saved": "OmegaConf.save(cfg, 'out/made.yaml')\n",
    "saved by a path": "OmegaConf.save(cfg, Path('out') / 'made.yaml')\n",
    "saved by a name": "name = 'made.yaml'\nOmegaConf.save(cfg, folder / name)\n",
    "dumped": "yaml.dump(cfg, open('out/made.yaml', 'w'))\n",
    "a path that is opened": "with Path('out/made.yaml').open('w') as file: yaml.dump(cfg, file)\n",
    "a text that is written": "Path('out/made.yaml').write_text(text)\n",
    "a copy of what is read": "held = OmegaConf.load('c.yaml')\nOmegaConf.save(held, 'out/c.yaml')\nprint(held.made)\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_file_that_the_program_writes_is_no_config_file(program_of, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    program = program_of(
        f"out = 'out'\n{text}", {"out/made.yaml": "made: 1\n", "out/c.yaml": "made: 2\n", "c.yaml": "made: 3\n"}
    )

    assert [option.place for option in find_options(program)] == (["c.yaml:1"] if "c.yaml" in text else [])


@pytest.mark.parametrize(("text", "read"), READ.values(), ids=READ)
def test_a_value_counts_as_read_where_what_holds_it_is_taken_as_a_whole(program_of, text, read):
    program = program_of(f"{LOADED}{text}", {"c.yaml": FILE})

    assert [option.name for option in find_options(program) if option.is_read] == read
