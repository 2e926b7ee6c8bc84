"""``promote`` writes a space file that the search takes, and that a person can read."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.projects import write_program
from tune.cli import main
from tune.promotion.checks.space_checks import space_warnings
from tune.promotion.find_constants import shortest_names
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.schedulers.trial_length import check_epochs
from tune.space.dimensions import is_in_dimension
from tune.space.space import System
from tune.space.space_file import read_space
from tune.space.template import format_inline_yaml

ROOT = Path(__file__).parents[2]
SYSTEMS = sorted(path for path in (ROOT / "lit").rglob("*.py") if "LightningModule" in path.read_text(encoding="utf-8"))

NET = """\
import pytorch_lightning as pl
from torch.optim import Adam
LR = 1e-3
OPT = "sgd"
ACT = "relu"
CFG = {"batch_size": 64, "name": None}
WIDTH = len("abc")
class Net(pl.LightningModule):
    def validation_step(self, batch, idx):
        self.log("CE/Val", LR)
        self.log("Accuracy/Val", OPT, ACT, CFG, WIDTH)
    def configure_optimizers(self):
        return Adam(self.parameters(), weight_decay=0.0)
def dataloaders():
    pass
"""

SCRIPT = """\
import argparse
make = argparse.ArgumentParser()
make.add_argument("--lr", type=float, default=1e-3)
make.add_argument("--fast", action="store_true")
def main():
    checkpoint = pl.callbacks.ModelCheckpoint(monitor="val_loss", mode="min")
    pl.Trainer(max_epochs=7, callbacks=[checkpoint]).fit(Net(make.parse_args()))
if __name__ == "__main__":
    main()
"""

WRITTEN = """\
# Written by `promote`: the ranges are suggestions, from names and values. Change what you know better.
system: net.py
metric: Accuracy/Val  # logged in net.py:11; also logged: CE/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-2]}  # 1e-3 (net.py:3): a tenth to ten times
  OPT: {choice: [adam, adamw, sgd, rmsprop]}  # sgd (net.py:4): take out what the program does not know
  # ACT: {choice: [relu, ...]}  # relu (net.py:5): write the other names beside it, and uncomment the line
  "CFG['batch_size']": {choice: [16, 32, 64, 128]}  # 64 (net.py:6): powers of two, a quarter to twice
  # "CFG['name']": {uniform: [LOW, HIGH]}  # null (net.py:6): say what it may be beside None, and uncomment the line
  # WIDTH: {randint: [LOW, HIGH]}  # len('abc') (net.py:7): only running the program tells its value: write its range, and uncomment the line
  Adam.weight_decay: {loguniform: [1e-6, 1e-2]}  # 0.0 (net.py:13): 0 has no order of magnitude: trial 0 alone runs it
trials: 20  # the first runs the values that the source holds
trainer: {max_epochs: 10}  # the program does not say how long: look at it
"""  # noqa: E501

SCRIPT_WRITTEN = """\
# Written by `promote`: the ranges are suggestions, from names and values. Change what you know better.
script: train.py
metric: val_loss  # ModelCheckpoint, train.py:6
mode: min
constants:
  "--lr": {loguniform: [1e-4, 1e-2]}  # 1e-3 (train.py:3): a tenth to ten times
  "--fast": {choice: [false, true]}  # false (train.py:4): off and on
trials: 20  # the first runs the values that the source holds
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["run_search.py"])
    return tmp_path


def resolved(path):
    space = read_space(path)
    program = find_program(space.program)
    check_epochs(space, program)
    return resolve_constants(space, program)


def test_promote_offers_of_a_text_what_the_source_knows(project):
    known = 'KNOWN = {"sgd": 1, "lion": 2}[OPT]\nif ACT == "gelu" or ACT == "relu":\n    pass\n'
    (project / "net.py").write_text(NET + known)

    assert main(["promote", "net.py", "OPT", "ACT", "-o", "mine"]) == 0
    written = (project / "mine.yaml").read_text()
    assert "  OPT: {choice: [sgd, lion]}  # sgd (net.py:4): all that the source names\n" in written
    assert "  ACT: {choice: [gelu, relu]}  # relu (net.py:5): all that the source names\n" in written


def test_promote_when_names_are_given_then_writes_a_line_for_each_with_its_value_and_place(project, capfd):
    names = ["LR", "OPT", "ACT", "CFG['batch_size']", "CFG['name']", "WIDTH", "Adam.weight_decay"]

    assert main(["promote", "net.py", *names, "-o", "mine"]) == 0
    assert (project / "mine.yaml").read_text() == WRITTEN
    assert [item.key for item in resolved(project / "mine.yaml")] == [names[0], names[1], names[3], names[6]]
    out = capfd.readouterr().out
    assert out.endswith(
        "left to you: ACT, CFG['name'], WIDTH; the comment in the file says what to write\n"
        "next: python run_search.py --space mine.yaml\n"
    )
    assert WRITTEN in out


def test_promote_when_the_program_trains_by_itself_then_writes_a_script_with_its_options(project):
    assert main(["promote", "train.py", "--lr", "--fast"]) == 0
    assert (project / "search_spaces" / "lr_fast.yaml").read_text() == SCRIPT_WRITTEN
    assert len(resolved(project / "search_spaces" / "lr_fast.yaml")) == 2


def test_promote_when_no_file_is_named_then_the_names_give_it(project, capfd):
    assert main(["promote", "net.py", "LR", "CFG['batch_size']"]) == 0
    assert (project / "search_spaces" / "lr_cfg_batch_size.yaml").is_file()
    assert capfd.readouterr().out.endswith("next: python run_search.py --space lr_cfg_batch_size.yaml\n")


def test_promote_when_the_names_are_many_then_the_program_gives_the_name_of_the_file(project, capfd):
    assert main(["promote", "net.py", "LR", "OPT", "CFG['batch_size']", "Adam.weight_decay"]) == 0
    assert (project / "search_spaces" / "net.yaml").is_file()
    assert capfd.readouterr().out.endswith("next: python run_search.py --space net.yaml\n")


def test_promote_when_run_from_elsewhere_then_the_file_still_leads_to_the_program(
    project, monkeypatch, tmp_path_factory
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert main(["promote", str(project / "net.py"), "LR"]) == 0
    assert main(["promote", str(project / "net.py"), "LR", "-o", "here.yaml"]) == 0
    for path in (project / "search_spaces" / "lr.yaml", Path("here.yaml")):
        assert resolved(path)[0].constant.where == "net.py:3"


def test_promote_when_the_file_is_there_then_refuses_and_with_force_replaces(project, capfd):
    (project / "lr.yaml").write_text("mine")

    assert main(["promote", "net.py", "LR", "-o", "lr.yaml"]) == 2
    told = "lr.yaml: the file exists already\n  Give --force to replace it, or another -o FILE.\n"
    assert capfd.readouterr().err == told
    assert (project / "lr.yaml").read_text() == "mine"
    assert main(["promote", "net.py", "LR", "-o", "lr.yaml", "--force"]) == 0
    assert resolved(project / "lr.yaml")


def test_promote_when_a_metric_is_given_then_it_wins(project):
    assert main(["promote", "net.py", "LR", "--metric", "Loss/Test", "-o", "a"]) == 0
    assert main(["promote", "net.py", "LR", "--metric", "zorp", "--mode", "max", "-o", "b"]) == 0
    assert main(["promote", "train.py", "--lr", "--metric", "val_loss", "--mode", "max", "-o", "c"]) == 0
    spaces = [read_space(project / f"{name}.yaml") for name in "abc"]

    assert [(space.metric, space.mode) for space in spaces] == [
        ("Loss/Test", "min"),
        ("zorp", "max"),
        ("val_loss", "max"),
    ]


def shape_written(path):
    shape = read_space(path).shape
    return "system" if isinstance(shape, System) else ["script", *shape.args]


SHAPES = {
    "the source decides": (["net.py", "LR"], "system"),
    "--script": (["net.py", "LR", "--script"], ["script"]),
    "--args": (["net.py", "LR", "--args", "--data my/data -v"], ["script", "--data", "my/data", "-v"]),
    "--args of one word": (["net.py", "LR", "--args", "--fast"], ["script", "--fast"]),
    "--args=": (["net.py", "LR", "--args=fit --name 'a b'"], ["script", "fit", "--name", "a b"]),
    "--system": (["guarded.py", "LR", "--system"], "system"),
    "an option": (["train.py", "--lr"], ["script"]),
    "an option of what could be a system": (["both.py", "--lr"], ["script"]),
}


@pytest.mark.parametrize(("words", "shape"), SHAPES.values(), ids=SHAPES)
def test_promote_when_the_shape_is_given_then_it_wins_over_the_source(project, words, shape):
    (project / "guarded.py").write_text(NET + "if __name__ == '__main__':\n    pl.Trainer(callbacks=[]).fit(Net())\n")
    (project / "both.py").write_text(
        NET + "import argparse\nargparse.ArgumentParser().add_argument('--lr', default=1e-3)\n"
    )

    assert main(["promote", *words, "--metric", "val_loss", "-o", "s"]) == 0
    assert shape_written(project / "s.yaml") == shape
    assert resolved(project / "s.yaml")


NO_SHAPE = {
    "two shapes": (
        ["net.py", "LR", "--script", "--system"],
        (
            "argument --system: not allowed with argument --script\n"
            "  `python run_search.py promote --help` lists all options.\n"
        ),
    ),
    "args of a system": (
        ["net.py", "LR", "--system", "--args", "x"],
        "--args: a system has no command line, got 'x'\n  Leave out --system, or --args.\n",
    ),
    "an option of a system": (
        ["train.py", "--lr", "--system"],
        "'--lr' is an option, and a system has no command line\n  Leave out --system.\n",
    ),
    "a quote that never ends": (
        ["net.py", "LR", "--args", "--name 'a"],
        '--args: No closing quotation, got "--name \'a"\n  Close the quote.\n',
    ),
}


@pytest.mark.parametrize(("words", "message"), NO_SHAPE.values(), ids=NO_SHAPE)
def test_promote_when_the_shape_cannot_be_then_says_why(project, capfd, words, message):
    assert main(["promote", *words, "--metric", "val_loss"]) == 2
    assert capfd.readouterr().err == message
    assert not list(project.rglob("*.yaml*"))


def test_promote_when_the_file_would_be_refused_then_names_no_temporary_file(project, capfd):
    (project / "train.py").write_text(SCRIPT.replace("default=1e-3", "required=True"))

    assert main(["promote", "train.py", "--fast", "--args", "--zorp 3"]) in (0, 2)
    assert "promoted" not in capfd.readouterr().err


def test_promote_when_a_module_hides_a_library_then_says_so(project, capfd):
    (project / "torch.py").touch()

    assert main(["promote", "net.py", "LR"]) == 2
    assert capfd.readouterr().err == (
        "torch.py: it lies where the program imports from, and hides the `torch` that is installed\n"
        "  Give it another name.\n"
    )


def test_promote_when_the_working_folder_hides_our_package_then_says_so_before_it_asks_the_program(project, capfd):
    (project / "net.py").write_text(NET.replace('"CE/Val"', "NAME").replace('"Accuracy/Val"', "NAME"))
    (project / "tune.py").touch()

    assert main(["promote", "net.py", "LR"]) == 2
    assert capfd.readouterr().err == (
        f"{project}/tune.py: the workers would import it for the `tune` that they need\n"
        "  Give it another name, or start the search from another folder.\n"
    )


@pytest.mark.parametrize("name", ["tune.py", "logging/__init__.py", "types.py", "ray/__init__.py"])
def test_promote_and_the_search_refuse_the_same_names_in_the_working_folder(name, project, capfd):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).touch()
    errors = []
    for words in (["promote", "net.py", "LR"], ["net.py", "LR", "--yes", "--trainer.max_epochs", "1"]):
        assert main(words) == 2
        errors.append(capfd.readouterr().err)

    top = name.partition("/")[0]
    module = top.removesuffix(".py")
    assert errors[0] == errors[1]
    assert errors[0].startswith(f"{project}/{top}: the workers would import it for the `{module}` that they need\n")
    assert not (project / "search_spaces").exists()


RANGES = """\
import torch
from torch import nn
import pytorch_lightning as pl
K = 0.6
B1 = 0.5
SMOOTH = 0.7
C = {"f": 0.5}
class Net(pl.LightningModule):
    def __init__(self, rate=0.9):
        super().__init__()
        self.drop, self.rate = nn.Dropout(K), rate
        self.loss = nn.CrossEntropyLoss(label_smoothing=SMOOTH)
        self.other = nn.Dropout2d(self.rate)
    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), betas=(B1, 0.99))
        return optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", C["f"])
print(Net())
"""


def test_promote_when_a_library_takes_the_value_then_the_range_holds_what_it_accepts(project):
    (project / "net.py").write_text(RANGES)
    names = ["K", "B1", "SMOOTH", "C['f']", "Net.rate"]

    assert main(["promote", "net.py", *names, "--metric", "val_loss", "-o", "s"]) == 0
    highs = {item.key: item.dimension.high for item in resolved(project / "s.yaml")}
    assert highs == {"K": 0.99, "B1": 0.99, "SMOOTH": 1.0, "C['f']": 0.99, "Net.rate": 0.99}


DEAD = {
    "a name": ("net.py", NET.replace("LR = 1e-3", "LR = 1e-3\nSPARE = 0.5"), "SPARE", "net.py:4"),
    "a parameter": (
        "net.py",
        NET + "class Head:\n    def __init__(self, spare=0.5):\n        pass\n",
        "Head.spare",
        "net.py:17",
    ),
    "an entry": (
        "net.py",
        NET.replace('"name": None', '"spare": 0.5').replace("CFG, WIDTH", "CFG['batch_size']"),
        "CFG['spare']",
        "net.py:6",
    ),
    "an option": (
        "train.py",
        SCRIPT + "import fire\ndef go(spare=0.5, lr=1.0):\n    print(lr)\nfire.Fire(go)\n",
        "--spare",
        "train.py:11",
    ),
}


@pytest.mark.parametrize(("file", "text", "name", "where"), DEAD.values(), ids=DEAD)
def test_promote_when_nothing_reads_a_constant_then_says_so(project, capfd, file, text, name, where):
    (project / file).write_text(text)

    assert main(["promote", file, name, "--metric", "val_loss", "-o", "s"]) == 0
    told = capfd.readouterr().out
    assert told.endswith(f"warning: {name}: nothing in the program reads it ({where})\n")
    assert f"({where}): nothing in the program reads it; half to twice" in told


LISTING = "`python run_search.py constants net.py` lists them all."
ERRORS = [
    (["LRR"], f"'LRR' is not a constant of net.py\n  Did you mean 'LR' (0.001, line 3)?  {LISTING}"),
    (["LR", "net.LR"], "'LR' and 'net.LR' are the same constant, net.py:3\n  Give one of them."),
    ([], f"promote takes the names of constants, got none\n  {LISTING}"),
    (["--lr"], f"'--lr' is no option that a source of net.py declares\n  {LISTING}"),
    (["LR", "-o", "net.py/x.yaml"], "net.py/x.yaml: cannot be written: File exists\n  Give another -o FILE."),
    (
        ["LR", "--metric", "zorp"],
        (
            "the name 'zorp' does not tell whether less or more of it is better (given to promote)\n"
            "  Give --mode min or --mode max."
        ),
    ),
]


@pytest.mark.parametrize(("words", "message"), ERRORS)
def test_promote_when_it_cannot_then_says_where_what_and_what_to_do(project, capfd, words, message):
    assert main(["promote", "net.py", *words]) == 2
    assert capfd.readouterr().err == f"{message}\n"
    assert not list(project.rglob("*.yaml*"))


def test_a_file_with_nothing_but_unfinished_lines_says_which_they_are(project, capfd):
    assert main(["promote", "net.py", "ACT", "-o", "act"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("left to you: ACT")
    assert main(["--space", "act.yaml"]) == 2
    assert capfd.readouterr().err == (
        "act.yaml:5: constants: at least one constant must vary, got None\n"
        "  Write what the comment in line 6 asks for, and uncomment it.\n"
    )


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_constant_of_a_system_of_lit_can_be_promoted(path, tmp_path):
    names = list(shortest_names(find_program(path)).values())

    assert main(["promote", str(path), *names, "-o", str(tmp_path / "all.yaml")]) == 0
    promoted = resolved(tmp_path / "all.yaml")
    assert all(is_in_dimension(item.dimension, item.value) for item in promoted)
    assert space_warnings(promoted) == ()


LITERALS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(),
        st.text(st.characters(codec="utf-8"), max_size=5),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
NAMES = st.sampled_from(["LR", "WEIGHT_DECAY", "DROPOUT", "BATCH_SIZE", "WIDTH", "EPOCHS", "BETA", "keep", "X", "SEED"])


@settings(max_examples=60, deadline=None)
@given(held=st.dictionaries(NAMES, LITERALS, min_size=1, max_size=4))
def test_whatever_a_program_holds_then_the_file_is_read_and_its_ranges_fit(held, tmp_path_factory):
    folder = tmp_path_factory.mktemp("p")
    (folder / "pyproject.toml").touch()
    lines = [f"{name} = {value!r}".replace("inf", "1e999").replace("nan", "1e999") for name, value in held.items()]
    lines.append("def dataloaders(): ...")
    (folder / "p.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["promote", str(folder / "p.py"), *held, "--metric", "val_loss", "-o", str(folder / "s.yaml")]

    assert main(words) == 0
    text = (folder / "s.yaml").read_text(encoding="utf-8")
    if any(line.startswith("  ") and not line.startswith("  #") for line in text.splitlines()):
        for item in resolved(folder / "s.yaml"):
            assert is_in_dimension(item.dimension, item.value) or item.value == 0


@given(value=LITERALS)
def test_a_value_when_written_on_one_line_then_reads_back_the_same(value, tmp_path_factory):
    from tune.space.yaml_document import read_document

    path = tmp_path_factory.getbasetemp() / "flow.yaml"
    path.write_text(f"x: {format_inline_yaml(value)}\n", encoding="utf-8")

    assert repr(read_document(path).entries["x"]) == repr(value)


LATER = """
import argparse
import torch
BATCH = 32 if torch.cuda.is_available() else 8
parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--act", choices=["relu", "tanh"], default="relu")
parser.add_argument("--batch-size", type=int, default=8)
"""


def write_later(folder, monkeypatch):
    (folder / "proj" / "examples").mkdir(parents=True)
    (folder / "proj" / "pyproject.toml").touch()
    (folder / "proj" / "examples" / "later.py").write_text(LATER)
    monkeypatch.chdir(folder / "proj" / "examples")


def test_promote_when_a_parser_names_its_choices_then_they_are_the_range(tmp_path, monkeypatch, capfd):
    write_later(tmp_path, monkeypatch)
    words = ["later.py", "--act", "BATCH", "--args", "data.csv", "--metric", "val_loss", "-o", "s.yaml"]
    assert main(["promote", *words]) == 0

    text = Path("s.yaml").read_text()
    assert '  "--act": {choice: [relu, tanh]}  # relu (examples/later.py:7): all that it may be\n' in text
    assert "  # BATCH: {randint: [LOW, HIGH]}  # " in text
    assert "\nargs: [data.csv]\n" in text


@pytest.mark.parametrize("order", range(4))
def test_promote_takes_its_own_options_between_the_names(tmp_path, monkeypatch, order):
    write_later(tmp_path, monkeypatch)
    words = ["later.py", "--act", "BATCH"]
    words[order:order] = ["--metric", "val_loss", "--args", "data.csv"]

    assert main(["promote", *words, "-o", "s.yaml"]) == 0
    assert [line.split(":")[0] for line in Path("s.yaml").read_text().splitlines()[6:8]] == ['  "--act"', "  # BATCH"]


@pytest.mark.parametrize("output", ["../../y.yaml", "../y.yaml", "y.yaml", "deep/er/y.yaml"])
def test_promote_when_the_output_lies_anywhere_then_the_file_leads_to_the_program(tmp_path, monkeypatch, output):
    write_later(tmp_path, monkeypatch)
    assert main(["promote", "later.py", "--act", "--metric", "val_loss", "-o", output]) == 0
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "proj" / "examples" / output

    assert read_space(path.resolve()).program == tmp_path / "proj" / "examples" / "later.py"


def test_promote_when_an_options_name_lacks_its_dashes_then_they_are_added(tmp_path, monkeypatch):
    write_later(tmp_path, monkeypatch)
    assert main(["promote", "later.py", "batch_size", "--metric", "m", "--mode", "min", "-o", "mine"]) == 0

    assert read_space(Path("mine.yaml").resolve()).dimensions.keys() == {"--batch-size"}


def test_promote_when_another_layer_has_to_fit_a_width_then_it_says_so(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET + "from torch import nn\nFIRST = nn.Linear(7, 50)\nSECOND = nn.Linear(50, 2)\n")
    assert main(["promote", "net.py", "Linear.out_features@17"]) == 0

    told = " ".join(capfd.readouterr().out.split())
    warning = "the input of another layer has to fit it (net.py:18): give both one name, and search that"
    assert told.endswith(f"warning: Linear.out_features@17: {warning} (net.py:17)")


SYMBOLS = """\
import torch
from torch import nn

ACT = nn.ReLU
OPT = torch.optim.SGD
NORM = nn.BatchNorm1d
"""


def test_promote_offers_what_may_stand_in_the_place_of_a_name_of_a_library(tmp_path, monkeypatch, capfd):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "net.py").write_text(SYMBOLS + PLAIN_SYSTEM)
    monkeypatch.chdir(tmp_path)

    assert main(["promote", "net.py", "ACT", "OPT", "NORM", "-o", "s.yaml"]) == 0

    lines = (tmp_path / "s.yaml").read_text().splitlines()
    assert "  ACT: {choice: [nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh]}  # nn.ReLU (net.py:4): others of torch.nn" in lines
    assert any(
        line.startswith("  OPT: {choice: [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW]}") for line in lines
    )
    told = "nn.BatchNorm1d (net.py:6): a name of the source: write others, and uncomment the line"
    assert f"  # NORM: {{choice: [nn.BatchNorm1d, ...]}}  # {told}" in lines
    capfd.readouterr()

    assert main(["net.py", "NORM", "--yes"]) == 2
    assert "NORM=nn.BatchNorm1d,ANOTHER  what NORM may be: nn.BatchNorm1d (net.py:6)" in capfd.readouterr().err


PLAIN_SYSTEM = """\
import pytorch_lightning as pl

MAX_EPOCHS = 2


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 1), NORM(1), ACT())

    def training_step(self, batch, index):
        return self.net(batch).sum()

    def validation_step(self, batch, index):
        self.log("val_loss", self.net(batch).sum())

    def configure_optimizers(self):
        return OPT(self.parameters(), lr=0.1)


def dataloaders():
    return [], []
"""


APART = {
    "--lr 3": (
        "--lr: a range stands behind an equals sign, got '3' as a word of its own\n"
        "  Write, to search it: promotune promote net.py --lr=3 --mode min\n"
        "  or, to give the program that value: promotune promote net.py --mode min --args '--lr 3'\n"
    ),
    "--lr 1..3": (
        "--lr: a range stands behind an equals sign, got '1..3' as a word of its own\n"
        "  Write, to search it: promotune promote net.py --lr=1..3 --mode min\n"
    ),
    "--lr --epochs 3": (
        "no such option: '--epochs'\n  Write: promotune promote net.py --lr --mode min --trainer.max_epochs 3\n"
    ),
    "--lr --n-trials 3": (
        "--n-trials is an option of the search, and this command writes a file for one\n"
        "  Give it to the search: promotune --space FILE --trials 3\n"
    ),
    "--lr --zorp 3": "no such option: '--zorp'\n  Leave it out: promotune promote net.py --lr --mode min\n",
}


@pytest.mark.parametrize(("words", "told"), APART.items(), ids=APART)
def test_an_option_and_its_value_are_answered_with_the_whole_command(words, told, tmp_path, monkeypatch, capfd):
    text = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--lr', type=float, default=1.0)\n"
    monkeypatch.chdir(write_program(tmp_path / "project", "net", text).parent)
    monkeypatch.setattr(sys, "argv", ["promotune", "promote", "net.py", *words.split(), "--mode", "min"])

    assert main(sys.argv[1:]) == 2
    assert capfd.readouterr().err == told
