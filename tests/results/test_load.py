"""A version's model comes back: the architecture that was trained, with its best weights."""

import importlib.util
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from lit.digits import HIDDEN, dataloaders
from tests.searched import Worker
from tune import load, search
from tune.cli import main
from tune.errors import ExperimentError
from tune.experiment.records import RetrainRequest, read_request
from tune.paths import ExperimentPaths, VersionPaths
from tune.space.space_file import write_space

ROOT = Path(__file__).parents[2]

NET = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WIDTHS = (4, 2)
MAX_EPOCHS = 2


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, WIDTHS[0]), nn.Linear(WIDTHS[0], WIDTHS[1]), nn.Linear(WIDTHS[1], 1))

    def training_step(self, batch, idx):
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, idx):
        self.log("MSE/Val", nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def data():
    points = torch.linspace(-1, 1, 24).reshape(8, 3)
    return DataLoader(TensorDataset(points, points.sum(1, keepdim=True)), batch_size=4)
"""
SYSTEM = NET + "\n\ndef dataloaders():\n    return data(), data()\n"
SCRIPT = NET + "\n\npl.Trainer(max_epochs=MAX_EPOCHS).fit(Net(), data(), data())\n"


@pytest.fixture
def experiment(tmp_path, server):
    """Return what searches a program of this text, and gives its one trial, of these widths."""

    def search(text, shape, widths):
        project = tmp_path / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        (project / "net.py").write_text(text)
        space = f"{shape}: net.py\nmetric: MSE/Val\nmode: min\nconstants: {{WIDTHS: {{choice: [[4, 2], [8, 6]]}}}}\n"
        (project / "s.yaml").write_text(space)
        paths = ExperimentPaths(tmp_path / "results")
        paths.folder.mkdir()
        worker = Worker(project / "s.yaml", paths.folder, server)
        write_space(worker.space, paths.space)
        paths.journal.touch()
        trial = worker.run({"WIDTHS": widths})
        trial.worker = worker
        return trial

    return search


POINTS = torch.linspace(-1, 1, 24).reshape(8, 3)


def error_of(model):
    with torch.inference_mode():
        return nn.functional.mse_loss(model.net(POINTS), POINTS.sum(1, keepdim=True)).item()


def test_a_model_has_the_shapes_that_were_trained_and_gives_the_metric_again(experiment):
    trial = experiment(SYSTEM, "system", (8, 6))

    model = load(trial.files.folder)

    points = torch.linspace(-1, 1, 24).reshape(8, 3)
    with torch.inference_mode():
        error = torch.nn.functional.mse_loss(model.net(points), points.sum(1, keepdim=True)).item()
    assert [tuple(each.shape) for each in model.parameters() if each.dim() == 2] == [(8, 3), (6, 8), (1, 6)]
    assert not model.training
    assert error == pytest.approx(min(value for _, value in trial.reports), abs=1e-5)


def test_two_models_with_other_constants_are_alive_at_once(experiment):
    narrow = experiment(SYSTEM, "system", (4, 2))
    wide = narrow.worker.run({"WIDTHS": (8, 6)})

    models = [load(trial.files.folder) for trial in (narrow, wide)]

    assert [model.net[0].out_features for model in models] == [4, 8]
    for model, trial in zip(models, (narrow, wide), strict=True):
        assert error_of(model) == pytest.approx(min(value for _, value in trial.reports), abs=1e-5)


KEPT = """
import pathlib


class Kind:
    pass

"""


def test_a_checkpoint_with_more_than_weights_is_loaded_only_where_it_is_trusted(experiment):
    text = (KEPT + SYSTEM).replace("def __init__(self):", "def __init__(self, kind=Kind()):")
    text = text.replace("super().__init__()\n", "super().__init__()\n        self.save_hyperparameters()\n")
    trial = experiment(text, "system", (4, 2))

    with pytest.raises(ExperimentError) as caught:
        load(trial.files.folder)

    assert str(caught.value) == (
        f"{trial.files.best_checkpoint}: the checkpoint holds more than weights and plain values: a net.Kind\n"
        "  Unpickling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
    )
    assert error_of(load(trial.files.folder, trust_checkpoints=True)) == pytest.approx(
        min(value for _, value in trial.reports), abs=1e-5
    )


def test_a_trial_of_what_is_no_experiment_is_told(experiment):
    trial = experiment(SYSTEM, "system", (4, 2))

    with pytest.raises(ExperimentError, match="this is not an experiment, and trial 3 of one is wanted"):
        load(trial.files.folder, 3)


def test_a_script_that_would_train_when_it_is_imported_is_not_loaded(experiment):
    trial = experiment(SCRIPT, "script", (4, 2))

    with pytest.raises(ExperimentError, match="its model cannot be built: importing the program would train"):
        load(trial.files.folder)


def test_a_folder_that_is_no_version_is_told(tmp_path):
    with pytest.raises(ExperimentError, match="this is not the folder of a version"):
        load(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_every_trial_of_a_search_over_the_width_gives_its_metric_again(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = {"trials": 5, "trainer": {"max_epochs": 2}, "concurrency": 2}
    found = search("net.yaml", storage=tmp_path, **given)
    _, validation = dataloaders()
    widths = set()
    for trial in found.trials:
        model = found.load(trial.number)
        widths.add(model.net[0].out_features)
        trainer = pl.Trainer(logger=False, enable_progress_bar=False, enable_checkpointing=False, accelerator="cpu")
        (metrics,) = trainer.validate(model, validation, verbose=False)
        assert model.net[0].out_features == trial.values["HIDDEN"]
        assert metrics[found.space.metric] == pytest.approx(trial.score, abs=1e-5)

    assert len(widths) > 2
    assert HIDDEN in widths


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_lightning_loads_the_checkpoint_itself_once_the_values_are_put_back(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    program = tmp_path / "net.py"
    program.write_text(SYSTEM)
    monkeypatch.chdir(tmp_path)
    given = {"system": "net.py", "metric": "MSE/Val", "mode": "min", "constants": {"WIDTHS": {"choice": [[9, 7]]}}}
    found = search(**given, trials=2, concurrency=2, storage=tmp_path / "storage")

    def plain():
        spec = importlib.util.spec_from_file_location("net", program)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.Net.load_from_checkpoint(found.paths.version(found.trials[1].version).best_checkpoint)

    with pytest.raises(RuntimeError, match="size mismatch"):
        plain()
    assert main(["apply", "net", "--trial", "1", "--write", "--storage", str(tmp_path / "storage")]) == 0
    assert error_of(plain()) == pytest.approx(found.trials[1].score, abs=1e-5)


def test_a_record_that_is_damaged_is_named_and_not_the_checkpoint_beside_it(experiment):
    trial = experiment(SYSTEM, "system", (8, 6))
    trial.files.record.write_text(trial.files.record.read_text()[:200])

    with pytest.raises(ExperimentError) as refused:
        load(trial.files.folder)

    assert str(refused.value) == (
        f"{trial.files.record}: this file is damaged: it does not say which constants the trial had\n"
        "  Take it from a backup; nothing else is amiss."
    )


def broken(path):
    path.write_bytes(b"no checkpoint")


def cut(path):
    path.write_bytes(path.read_bytes()[:700])


def without_weights(path):
    torch.save({"pytorch-lightning_version": "2.6.0"}, path)


def of_another_model(path):
    torch.save({"pytorch-lightning_version": "2.6.0", "state_dict": {"other": torch.zeros(3)}}, path)


@pytest.mark.parametrize("spoil", [broken, cut, without_weights, of_another_model])
def test_a_checkpoint_that_is_none_of_the_versions_is_told(experiment, spoil):
    trial = experiment(SYSTEM, "system", (4, 2))
    spoil(trial.files.best_checkpoint)

    with pytest.raises(ExperimentError) as caught:
        load(trial.files.folder)

    assert str(caught.value).startswith(f"{trial.files.best_checkpoint}: ")
    assert caught.value.hint is not None


@pytest.mark.parametrize("key", ["hyper_parameters", "hparams", "module_arguments"])
def test_a_function_that_a_checkpoint_names_is_not_called(experiment, key, tmp_path, monkeypatch):
    trial = experiment(SYSTEM, "system", (4, 2))
    trace = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"import pathlib\npathlib.Path({str(trace)!r}).touch()\nmake = print\n")
    monkeypatch.syspath_prepend(tmp_path)
    held = torch.load(trial.files.best_checkpoint, weights_only=True)
    torch.save({**held, key: {"_instantiator": "evil.make"}}, trial.files.best_checkpoint)

    with pytest.raises(ExperimentError) as caught:
        load(trial.files.folder)

    assert str(caught.value) == (
        f"{trial.files.best_checkpoint}: the checkpoint names a function to make the model, and it is not "
        "LightningCLI's: 'evil.make'\n"
        "  Calling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
    )
    assert not trace.exists()


@pytest.mark.parametrize("source", ["/etc", "../elsewhere", "a/../../b", 5])
def test_a_retrained_version_whose_source_lies_outside_is_not_loaded_from_there(tmp_path, source):
    version = VersionPaths(tmp_path)
    request = RetrainRequest(trial=0, seed=0, fresh=False, trainer={}, source=source, digest="")
    request.write_request(version)

    assert read_request(version) is None


def test_a_record_with_constants_of_another_space_is_told(experiment):
    trial = experiment(SYSTEM, "system", (4, 2))
    replace(trial.record, constants={"DEPTH": 3}).write_record(trial.files)

    with pytest.raises(ExperimentError, match="its constants are not those of the experiment's space: 'DEPTH'"):
        load(trial.files.folder)


def test_a_note_of_freed_checkpoints_that_is_empty_is_no_harm(experiment):
    trial = experiment(SYSTEM, "system", (4, 2))
    trial.files.best_checkpoint.unlink()
    trial.files.freed_note.write_text("")

    with pytest.raises(ExperimentError, match="its checkpoints were freed"):
        load(trial.files.folder)


def with_arguments(arguments, init, build, *, after=""):
    """Return a script: its module takes ``arguments``, its ``__init__`` begins with ``init``, ``build`` calls it."""
    text = NET.replace("def __init__(self):\n        super().__init__()\n", f"def __init__(self, {arguments}):\n{init}")
    text = text.replace("WIDTHS[", "widths[").replace(
        "import torch\n", "import argparse\nimport dataclasses\nimport torch\n", 1
    )
    fit = f"pl.Trainer(max_epochs=MAX_EPOCHS).fit({build}, data(), data())\n"
    return f'{text}\n{after}\n\nif __name__ == "__main__":\n    {fit}'


START = "        super().__init__()\n"
SAVED = START + "        self.save_hyperparameters()\n"
CONFIG = "\n\n@dataclasses.dataclass\nclass Config:\n    widths: tuple\n"
SUBCLASS = "\n\nclass Sub(Net):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n"
LOADED = {
    "saved": with_arguments("widths", SAVED, "Net(WIDTHS)"),
    "saved from a namespace": with_arguments(
        "args",
        START + "        self.save_hyperparameters(args)\n        widths = args.widths\n",
        "Net(argparse.Namespace(widths=WIDTHS))",
    ),
    "saved by the class above": with_arguments("widths", SAVED, "Sub(widths=WIDTHS)", after=SUBCLASS),
    "read from the module's constants": with_arguments("", START + "        widths = WIDTHS\n", "Net()"),
}
TRUSTED = {
    "a dataclass of the script": with_arguments(
        "cfg", SAVED + "        widths = cfg.widths\n", "Net(Config(WIDTHS))", after=CONFIG
    ),
    "a namespace": with_arguments(
        "args", SAVED + "        widths = args.widths\n", "Net(argparse.Namespace(widths=WIDTHS))"
    ),
}
NONE = "and the checkpoint has no hyperparameters"
UNSAVED = {
    "none": (with_arguments("widths", START, "Net(WIDTHS)"), f"Net cannot be built without widths, {NONE}"),
    "none, under a class above": (
        with_arguments("widths", START, "Sub(widths=WIDTHS)", after=SUBCLASS),
        f"Sub cannot be built without widths, {NONE}",
    ),
    "some": (
        with_arguments("widths, depth", START + "        self.save_hyperparameters('depth')\n", "Net(WIDTHS, 3)"),
        "Net cannot be built without widths, and the checkpoint has the hyperparameters depth alone",
    ),
    "none, and a default": (
        with_arguments("widths=(3, 5)", START, "Net(WIDTHS)"),
        f"Net has weights of other shapes with its default for widths, {NONE}",
    ),
}


@pytest.mark.parametrize("text", LOADED.values(), ids=LOADED)
def test_a_module_whose_arguments_are_in_the_checkpoint_is_loaded(experiment, text):
    assert load(experiment(text, "script", (8, 6)).files.folder).net[0].out_features == 8


@pytest.mark.parametrize("text", TRUSTED.values(), ids=TRUSTED)
def test_arguments_that_are_objects_are_loaded_where_the_checkpoint_is_trusted(experiment, text):
    trial = experiment(text, "script", (8, 6))

    with pytest.raises(ExperimentError, match="more than weights and plain values"):
        load(trial.files.folder)

    assert load(trial.files.folder, trust_checkpoints=True).net[0].out_features == 8


@pytest.mark.parametrize(("text", "what"), UNSAVED.values(), ids=UNSAVED)
def test_arguments_that_were_not_saved_are_named_and_can_be_given(experiment, text, what):
    trial = experiment(text, "script", (8, 6))

    with pytest.raises(ExperimentError) as caught:
        load(trial.files.folder)

    assert str(caught.value) == (
        f"{trial.files.best_checkpoint}: {what}\n  Give it: load(..., widths=...). "
        f"Later checkpoints have it if {what.split()[0]}.__init__ calls self.save_hyperparameters()."
    )
    assert error_of(load(trial.files.folder, widths=(8, 6))) == pytest.approx(
        min(value for _, value in trial.reports), abs=1e-5
    )


def test_an_argument_that_the_module_does_not_take_is_refused(experiment):
    trial = experiment(with_arguments("widths", START, "Net(WIDTHS)"), "script", (8, 6))

    with pytest.raises(ExperimentError) as caught:
        load(trial.files.folder, width=(8, 6))

    assert str(caught.value) == f"{trial.files.best_checkpoint}: Net has no argument 'width'\n  Did you mean 'widths'?"


def test_a_checkpoint_with_a_flipped_bit_is_refused(experiment):
    trial = experiment(SYSTEM, "system", (4, 2))
    with zipfile.ZipFile(trial.files.best_checkpoint) as archive:
        member = next(each for each in archive.infolist() if "/data/" in each.filename)
    raw = bytearray(trial.files.best_checkpoint.read_bytes())
    raw[raw.index(b"FB", member.header_offset) + 64] ^= 0x40  # behind torch's padding, which begins with FB
    trial.files.best_checkpoint.write_bytes(raw)

    with pytest.raises(ExperimentError) as caught:
        load(trial.files.folder)

    assert str(caught.value) == (
        f"{trial.files.best_checkpoint}: no model can be built from this checkpoint: "
        f"it is damaged at {member.filename}\n"
        "  Take the file from a backup, or load another trial."
    )
