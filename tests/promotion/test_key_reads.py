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
    "a library that is given the file": ("make('c.yaml')\n", ["data.size=", "STEPS="]),
    "any section": ("print(held[stage]['size'])\n", ["data.size=", "STEPS="]),
    "a key of another section": ("print(held['other']['size'])\n", ["data.size="]),
    "a part that a key chooses": ("part = held[held['name']]\nprint(part['size'])\n", ["data.size=", "STEPS="]),
    "get with a key that is put together": ("print(held.get(f'{stage}_size', 1))\n", ["data.size=", "STEPS="]),
    "keys that are put together": (
        "flat = {f'data_{key}': value for key, value in held['data'].items()}\nprint(flat['data_width'])\n",
        ["data.size=", "STEPS="],
    ),
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


JOINED = {
    "in a folder, beside another file of its name": (
        "import os\nFOLDER = 'configs'\nheld = yaml.safe_load(open(os.path.join(FOLDER, 'c.yaml')))\n",
        {"c.yaml": "site: 1\n", "configs/c.yaml": "size: 2\n"},
        "size=",
    ),
    "a name that another file reads": (
        "from paths import CONFIG\nheld = yaml.safe_load(open(CONFIG))\n",
        {"paths.py": "CONFIG = 'c.yaml'\ndef write(text): open(CONFIG, 'w').write(text)\n", "c.yaml": "size: 2\n"},
        "size=",
    ),
    "what is saved as it is loaded": (
        "OmegaConf.save(OmegaConf.merge(held := OmegaConf.load('c.yaml'), more), 'used.yaml')\n",
        {"c.yaml": "size: 2\n", "used.yaml": "size: 3\n"},
        "size=",
    ),
}


@pytest.mark.parametrize(("text", "files", "name"), JOINED.values(), ids=JOINED)
def test_a_file_that_is_read_counts_though_one_is_written(program_of, text, files, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    options = find_options(program_of(f"import yaml\n{text}print(held['size'])\n", files))

    assert [option.value for option in options if option.name == name] == [2]


@pytest.mark.parametrize(("text", "read"), READ.values(), ids=READ)
def test_a_value_counts_as_read_where_what_holds_it_is_taken_as_a_whole(program_of, text, read):
    program = program_of(f"{LOADED}{text}", {"c.yaml": FILE})

    assert [option.name for option in find_options(program) if option.is_read] == read
