"""A field whose name stands nowhere else has no reads, unless what holds it goes where no source tells what is read."""

import pytest

from tune.promotion.find_constants import find_constants
from tune.promotion.resolve import constant_warnings, resolve_constants
from tune.space.space_file import read_space

HELD = "HP = {'lr': 0.1, 'width': 8}\n"
NET = "class Net:\n    def __init__(self, hp):\n        self.hp = hp\n        print(hp['width'])\n"
SAVES = "class Net:\n    def __init__(self, hp):\n        "
CONFIG = "class Config:\n    lr = 0.1\n"
UNREAD = {
    "nothing takes it": f"{HELD}print(HP['width'])\n",
    "a class of the project": f"{HELD}{NET}Net(HP)\n",
    "a class of the project, by name": f"{HELD}{NET}Net(hp=HP)\n",
    "save_hyperparameters": f"{HELD}{SAVES}self.save_hyperparameters(hp)\nNet(HP)\n",
    "hparams.update": f"{HELD}{SAVES}self.hparams.update(hp)\nNet(HP)\n",
    "another name": f"{HELD}cfg = HP\nprint(cfg.get('width'), 'width' in cfg)\n",
    "a function that hands it on": f"{HELD}{NET}def build(given):\n    return Net(given)\nbuild(HP)\n",
    "a logger": f"{HELD}logger.log_hyperparams(HP)\nprint(HP['width'])\n",
    "a comment": f"{HELD}print(HP['width'])  # not HP['lr']\n",
    "a section": "CFG = {'optim': {'lr': 0.1, 'width': 8}}\nprint(CFG['optim']['width'])\n",
    "a section under another name": "CFG = {'optim': {'lr': 0.1, 'width': 8}}\no = CFG['optim']\nprint(o['width'])\n",
    "a class of settings": "class Config:\n    lr = 0.1\n    width = 8\ncfg = Config()\nprint(cfg.width)\n",
    "a class of settings that is passed on": (
        "class Config:\n    lr = 0.1\n    width = 8\ndef train(cfg: Config):\n    print(cfg.width)\ntrain(Config())\n"
    ),
    "a getattr of another name": f"{HELD}{NET}Net(HP)\nprint(getattr(Net, 'outputs', []))\n",
}
READ = {
    "its name": f"{HELD}print(HP['lr'])\n",
    "its name in another file": f"{HELD}{NET}Net(HP)\nrate = Net.hp.lr\n",
    "a library": f"{HELD}build(HP)\n",
    "stars": f"{HELD}Net(**HP)\n",
    "a loop": f"{HELD}for name in HP:\n    print(name)\n",
    "items": f"{HELD}print(list(HP.items()))\n",
    "a copy": f"{HELD}own = dict(HP)\n",
    "a merge": f"{HELD}own = HP | other\n",
    "a key that is not known": f"{HELD}print(HP[name])\n",
    "a key that is put together": f"{HELD}print(HP[f'{{name}}r'])\n",
    "a get of a key that is not known": f"{HELD}print(HP.get(name))\n",
    "getattr": f"{HELD}{NET}Net(HP)\nprint(getattr(Net, name))\n",
    "globals": f"{HELD}print(HP['width'])\nglobals()\n",
    "a function that returns it": f"{HELD}def settings():\n    return HP\n",
    "a list": f"{HELD}every = [HP]\n",
    "update of something else": f"import os\n{HELD}os.environ.update(HP)\n",
    "a class that hands it to a library": f"{HELD}{SAVES}self.net = build(hp)\nNet(HP)\n",
    "a class with another constructor": f"{HELD}class Net(Base):\n    pass\nNet(HP)\n",
    "a section that a library takes": "CFG = {'optim': {'lr': 0.1}}\nbuild(CFG['optim'])\n",
    "a section that a library takes, by get": "CFG = {'optim': {'lr': 0.1}}\nbuild(CFG.get('optim'))\n",
    "a section under a key that is not known": "CFG = {'optim': {'lr': 0.1}}\nprint(CFG[name])\n",
    "keywords of dict": "HP = dict(lr=0.1)\nprint(HP['lr'])\n",
    "a class of settings that a library takes": "class Config:\n    lr = 0.1\nbuild(Config())\n",
    "a class of settings as a dict": f"from dataclasses import asdict\n{CONFIG}cfg = Config()\nNet(**asdict(cfg))\n",
    "a class that another one descends from": f"{CONFIG}class Large(Config):\n    pass\nbuild(Large())\n",
    "a class of settings that a parser takes": "class Config:\n    lr = 0.1\ncfg = tyro.cli(Config)\nprint(cfg)\n",
}


def reads_of_lr(program):
    (constant,) = (each for each in find_constants(program) if each.name.rstrip("']").endswith("lr"))
    return constant.reads


@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_a_field_that_nothing_reads_has_no_reads(program_of, text):
    assert reads_of_lr(program_of(text)) == ()


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_a_field_that_something_may_read_has_reads(program_of, text):
    assert reads_of_lr(program_of(text)) != ()


def test_a_search_of_one_is_warned_of_with_what_the_program_reads_in_its_place(program_of, tmp_path):
    text = (
        f"{HELD}def train(learning_rate=0.2, width=3):\n    print(learning_rate, width)\ntrain()\nprint(HP['width'])\n"
    )
    program = program_of(text)
    path = tmp_path / "s.yaml"
    constants = "constants: {\"HP['lr']\": {uniform: [0.1, 0.2]}, \"HP['width']\": {choice: [2, 4]}}\n"
    path.write_text(f"script: train.py\nmetric: x\nmode: min\n{constants}")

    (warning,) = constant_warnings(resolve_constants(read_space(path), program), program)
    told = "nothing in the program reads it (train.py:1); of its kind it reads train.learning_rate (0.2, train.py:2)"
    assert warning.endswith(f"s.yaml:4: HP['lr']: {told}")
