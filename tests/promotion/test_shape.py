"""A program that offers itself as a system is one; one that trains by itself, and does not, is a script."""

import pytest

from tune.promotion.program import find_program
from tune.promotion.program_kind import defines_settings_alone, shape_of, trains_at_import
from tune.space.space import Script, System

HEAD = "import pytorch_lightning as pl\n"
NET = HEAD + "class Net(pl.LightningModule):\n    pass\n"
DATA = "def dataloaders():\n    return 1, 2\n"
GUARD = 'if __name__ == "__main__":\n    '
CLIP = "pl.Trainer(gradient_clip_val=1)"
FIT = "pl.Trainer(max_epochs=1).fit(Net())\n"

SHAPES = [
    (NET + DATA, System()),
    (NET, System()),
    (NET + DATA + GUARD + FIT, System()),
    (NET + DATA + FIT, Script()),
    (NET + GUARD + FIT, Script()),
    (NET + FIT, Script()),
    (NET + "def main():\n    trainer = pl.Trainer()\n    trainer.fit(Net())\n" + GUARD + "main()\n", Script()),
    (NET + "def inner():\n    pl.Trainer().fit(Net())\ndef main():\n    inner()\nmain()\n", Script()),
    (NET + "runner = pl.Trainer()\nrunner.fit(Net())\n", Script()),
    (NET + GUARD + "LightningCLI(Net)\n", Script()),
    (NET + DATA + "scaler.fit([1])\n", System()),
    (NET + "    def train_dataloader(self):\n        return 1\n" + GUARD + FIT, Script()),
    (NET + "class Data(pl.LightningDataModule):\n    pass\n" + GUARD + FIT, Script()),
    (
        NET + "class Data(pl.LightningDataModule):\n    def __init__(self, path):\n        pass\n" + GUARD + FIT,
        Script(),
    ),
    (NET.replace("    pass", "    def __init__(self, width):\n        pass") + DATA + GUARD + FIT, Script()),
    (NET + "class Other(pl.LightningModule):\n    pass\n" + DATA, System(class_name="Net")),
    (NET + "class Better(Net):\n    pass\n" + DATA, System(class_name="Better")),
    ("from net import Net\nfrom net import dataloaders\n", System()),
]


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_a_program_is_a_system_or_a_script_as_its_source_says(tmp_path, text, shape):
    (tmp_path / "net.py").write_text(NET + DATA)
    (tmp_path / "p.py").write_text(text)

    assert shape_of(find_program(tmp_path / "p.py")) == shape


MAIN = GUARD + "main()\n"
HELPER = "import pytorch_lightning as pl\n"

TRAINS = {
    "a name bound under the guard": NET.replace("pass", "def f(self):\n        return net")
    + DATA
    + GUARD
    + "net = Net()\n    pl.Trainer().fit(net, *dataloaders())\n",
    "a name bound under the guard, and no fit": NET + DATA + "def f():\n    return net\n" + GUARD + "net = Net()\n",
    "arguments that the search does not know": NET
    + DATA
    + GUARD
    + "pl.Trainer(gradient_clip_val=0.5).fit(Net(), *dataloaders())\n",
    "callbacks": NET + DATA + GUARD + "pl.Trainer(callbacks=[Stop()]).fit(Net(), *dataloaders())\n",
    "arguments of the module": NET.replace("    pass", "    def __init__(self, width=3):\n        pass")
    + DATA
    + GUARD
    + "pl.Trainer().fit(Net(width=9), *dataloaders())\n",
    "another data": NET + DATA + GUARD + "pl.Trainer().fit(Net(), datamodule=Other())\n",
    "two fits": NET + DATA + GUARD + "pl.Trainer().fit(Net())\n    pl.Trainer().fit(Net())\n",
    "loaders that take arguments": NET + "def dataloaders(path):\n    return 1, 2\n" + GUARD + FIT,
    "options": NET + DATA + "parser.add_argument('--lr', type=float)\n" + GUARD + FIT,
    "a trainer of another name": NET + "def main():\n    engine = pl.Trainer()\n    engine.fit(Net())\n" + MAIN,
    "a trainer that a function makes": NET
    + "def build():\n    return pl.Trainer()\ndef main():\n    build().fit(Net())\n"
    + MAIN,
    "two that are assigned together": f"{NET}{DATA}{GUARD}one, two = {CLIP}, {CLIP}\n    two.fit(build())\n",
    "two names of one": f"{NET}{DATA}{GUARD}one = two = {CLIP}\n    two.fit(build())\n",
    "a list": f"{NET}{DATA}{GUARD}engines = [{CLIP}]\n    for each in engines:\n        each.fit(build())\n",
    "a list of a comprehension": f"{NET}{DATA}{GUARD}e = [{CLIP} for _ in range(2)]\n    e[-1].fit(build())\n",
    "a dict": f"{NET}{DATA}{GUARD}engines = dict(one={CLIP})\n    engines['one'].fit(build())\n",
    "the values of a dict": f"{NET}{DATA}{GUARD}e = {{1: {CLIP}}}\n    for _, c in e.items():\n        c.fit(1)\n",
    "a list that another makes": f"{NET}{DATA}{GUARD}e = [{CLIP}]\n    e = sorted(e)\n    e[0].fit(build())\n",
    "a trainer that is a parameter": NET
    + "def go(engine, loader):\n    engine.fit(Net(), train_dataloaders=loader)\n"
    + GUARD
    + "go(pl.Trainer(), 1)\n",
    "a trainer and a module that are parameters": NET
    + "def go(engine, net):\n    engine.fit(net)\n"
    + GUARD
    + "go(pl.Trainer(), Net())\n",
    "a subclass of Trainer": NET + "class Mine(pl.Trainer):\n    pass\n" + GUARD + "Mine().fit(Net())\n",
    "a trainer in an attribute": NET
    + "class App:\n    def __init__(self):\n        self.engine = pl.Trainer()\n"
    + "    def run(self):\n        self.engine.fit(Net())\n"
    + GUARD
    + "App().run()\n",
    "an objective that is passed on": NET
    + DATA
    + "def objective(trial):\n    pl.Trainer(max_epochs=1).fit(Net())\n    return 1\n"
    + GUARD
    + "study.optimize(objective, n_trials=3)\n    study.optimize(objective)\n    pl.Trainer().fit(Net())\n",
    "an objective alone": NET
    + "def objective(trial):\n    pl.Trainer().fit(Net())\n"
    + GUARD
    + "optimize(objective)\n",
    "a lambda": NET + "def one(n):\n    pl.Trainer().fit(Net())\n" + GUARD + "optimize(lambda trial: one(3))\n",
    "a command": NET + "@app.command()\ndef train():\n    pl.Trainer().fit(Net())\n" + GUARD + "app()\n",
    "another module of the project": NET + "import engine\n" + GUARD + "engine.fit(Net())\n",
    "a function of another module": NET + "from engine import fit as go\n" + GUARD + "go(Net())\n",
    "a subclass of LightningCLI": NET + "class Mine(LightningCLI):\n    pass\n" + GUARD + "Mine(Net)\n",
    "a module that needs arguments, built elsewhere": NET.replace(
        "    pass", "    def __init__(self, n):\n        pass"
    )
    + DATA
    + GUARD
    + "elsewhere.run(Net(3))\n",
}


@pytest.mark.parametrize("text", TRAINS.values(), ids=TRAINS)
def test_a_program_that_trains_in_its_own_way_is_a_script(tmp_path, text):
    (tmp_path / "engine.py").write_text(HELPER + "def fit(net):\n    pl.Trainer().fit(net)\n")
    (tmp_path / "p.py").write_text(text)

    assert shape_of(find_program(tmp_path / "p.py")) == Script()


OFFERS = {
    "a fit of something else": NET
    + DATA
    + "from sklearn.linear_model import Ridge\nridge = Ridge()\nridge.fit([1], [2])\n",
    "a function that trains and is not called": NET + DATA + "def main():\n    pl.Trainer().fit(Net())\n",
    "arguments of the Trainer that a search sets itself": NET
    + DATA
    + GUARD
    + "pl.Trainer(max_epochs=3, accelerator='cpu', devices=1, logger=False).fit(Net(), *dataloaders())\n",
    "a module that needs arguments, and nothing that is run": NET.replace(
        "    pass", "    def __init__(self, n):\n        pass"
    )
    + DATA,
}


@pytest.mark.parametrize("text", OFFERS.values(), ids=OFFERS)
def test_a_program_that_leaves_the_training_to_the_search_is_a_system(tmp_path, text):
    (tmp_path / "p.py").write_text(text)

    assert shape_of(find_program(tmp_path / "p.py")) == System()


IMPORTED = {
    "at top level": (NET + FIT, True),
    "in a function that is called": (NET + "def main():\n    pl.Trainer().fit(Net())\nmain()\n", True),
    "in a function that is passed on": (NET + "def one(t):\n    pl.Trainer().fit(Net())\nstudy.optimize(one)\n", True),
    "under the guard": (NET + GUARD + FIT, False),
    "in a command": (NET + "@app.command()\ndef main():\n    pl.Trainer().fit(Net())\n", False),
}


@pytest.mark.parametrize(("text", "trains"), IMPORTED.values(), ids=IMPORTED)
def test_whether_importing_a_program_trains(tmp_path, text, trains):
    (tmp_path / "p.py").write_text(text)

    assert trains_at_import(find_program(tmp_path / "p.py")) is trains


SETTINGS_OR_NOT = {
    "values alone": ("import net\nLR = 1e-3\nDEVICE = pick(LR)\n", True),
    "a LightningCLI of another module": ("import net\nimport a.cli as c\ncli = c.LightningCLI(net.Net)\n", False),
    "a result of a training": (
        "import net\ndef train():\n    t = net.pl.Trainer()\n    t.fit(net.Net())\n    return 1\nbest = train()\n",
        False,
    ),
}


@pytest.mark.parametrize(("text", "alone"), SETTINGS_OR_NOT.values(), ids=SETTINGS_OR_NOT)
def test_a_program_that_trains_in_an_assignment_is_no_module_of_settings(tmp_path, text, alone):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "p.py").write_text(text)

    assert defines_settings_alone(find_program(tmp_path / "p.py")) is alone


LOOPS = {
    "a name of itself": "x = f(x, x.flatten(1))\nx[0].fit(Net())\n",
    "two of each other": "a = [b, g(a)]\nb = [a, g(b)]\nfor each in zip(a, b):\n    each.fit(Net())\n",
    "many": "".join(f"x = f(x, x, y{n}, [x])\ny{n} = f(x, y{n})\n" for n in range(12)) + "x[0].fit(Net())\n",
}


@pytest.mark.parametrize("text", LOOPS.values(), ids=LOOPS)
def test_a_name_that_is_made_of_itself_is_followed_to_an_end(tmp_path, text):
    path = tmp_path / "train.py"
    path.write_text(f"{NET}{text}")

    assert shape_of(find_program(path)) == Script()
