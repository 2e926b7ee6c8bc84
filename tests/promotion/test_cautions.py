"""What a program does that a search says before it starts."""

import pytest

from tune.errors import ProgramError
from tune.promotion.checks.program_checks import check_folder, check_names, program_warnings
from tune.promotion.checks.rate_finders import rate_finder_warnings

SEEDS = {
    "seed_everything": "import pytorch_lightning as pl\npl.seed_everything(42)\n",
    "imported by name": "from pytorch_lightning import seed_everything\nseed_everything(42)\n",
    "torch": "import torch\ntorch.manual_seed(1)\n",
    "numpy": "import numpy as np\nnp.random.seed(1)\n",
    "random": "import random\nrandom.seed(1)\n",
    "in a function": "import torch; x = 1\ndef main(): torch.manual_seed(x)\n",
}


@pytest.mark.parametrize("text", SEEDS.values(), ids=SEEDS)
def test_a_program_that_seeds_itself_is_told_so(program_of, text):
    (warning,) = program_warnings(program_of(text), is_script=True)

    assert warning == "train.py:2: the program seeds itself: the search's `seed` changes nothing below"


def test_nobody_is_told_of_seeds_who_did_not_choose_one(program_of):
    program = program_of(SEEDS["torch"])

    assert program_warnings(program, is_script=True, seed_is_chosen=False) == ()


def test_a_few_places_are_named(program_of):
    (warning,) = program_warnings(program_of("import torch\n" + "torch.manual_seed(1)\n" * 5), is_script=True)

    assert warning.startswith("train.py:2, train.py:3, train.py:4, ...: the program seeds itself")


def test_a_seed_of_an_imported_module_counts(program_of):
    program = program_of("import util\n", {"util.py": "import torch\ntorch.manual_seed(1)\n"})

    assert program_warnings(program, is_script=True)[0].startswith("util.py:2: ")


@pytest.mark.parametrize(("is_script", "n"), [(True, 1), (False, 0)])
def test_a_seed_under_the_main_guard_is_that_of_a_script(program_of, is_script, n):
    program = program_of("import torch\nif __name__ == '__main__':\n    torch.manual_seed(1)\n")

    assert len(program_warnings(program, is_script=is_script)) == n


def test_a_generator_of_its_own_is_the_programs_affair(program_of):
    assert program_warnings(program_of("import torch\nrng = torch.Generator().manual_seed(0)\n"), is_script=True) == ()


OF_A_FILE = "import yaml\ncfg = yaml.safe_load(open('c.yaml'))\n"
FINDS = {
    "a callback": ("x = pl.callbacks.LearningRateFinder()\n", True),
    "an imported callback": ("x = LearningRateFinder()\n", True),
    "a tuner": ("tuner.lr_find(model)\n", True),
    "a tuner without a name": ("Tuner(trainer).lr_find(model)\n", True),
    "a condition that holds": ("FIND = True\nif FIND: tuner.lr_find(model)\n", True),
    "one that does not": ("FIND = False\nif FIND: tuner.lr_find(model)\n", False),
    "one of a config file": (f"{OF_A_FILE}if cfg['find']: tuner.lr_find(model)\n", False),
    "one that nobody knows": ("if ask(): tuner.lr_find(model)\n", True),
}


@pytest.mark.parametrize(("text", "looks"), FINDS.values(), ids=FINDS)
def test_a_program_that_looks_for_its_learning_rate_is_told_so(program_of, text, looks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    program = program_of(text, {"c.yaml": "find: false\n"})
    line = text.count("\n")
    told = f"train.py:{line}: each trial looks for its learning rate, over one that is searched"

    assert rate_finder_warnings(program) == ((told,) if looks else ())


CHOICES = {
    "an entry": 'os.environ["CUDA_VISIBLE_DEVICES"] = "0"',
    "setdefault": 'os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")',
    "update": 'os.environ.update(CUDA_VISIBLE_DEVICES="0")',
    "putenv": 'os.putenv("CUDA_VISIBLE_DEVICES", "0")',
    "in a function": 'def main(gpu): os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)',
}


@pytest.mark.parametrize("text", CHOICES.values(), ids=CHOICES)
def test_a_program_that_names_its_gpu_is_told_so(program_of, text):
    assert program_warnings(program_of(f"import os\n{text}\n"), is_script=True) == (
        "train.py:2: the program names its GPU itself; a trial keeps the one that it is given",
    )


@pytest.mark.parametrize("text", ['x = os.environ["CUDA_VISIBLE_DEVICES"]', 'held["CUDA_VISIBLE_DEVICES"] = "0"'])
def test_a_program_that_reads_its_gpu_is_told_nothing(program_of, text):
    assert program_warnings(program_of(f"import os\n{text}\n"), is_script=True) == ()


SHARED = {
    "a lock": "FileLock(os.path.join(tempfile.gettempdir(), 'mnist.lock'))",
    "a folder of data": "MNIST(Path(tempfile.gettempdir()) / 'data', download=True)",
    "imported by name": "from tempfile import gettempdir; lock = f'{gettempdir()}/x.lock'",
    "in a method": "class Data:\n    def prepare_data(self): self.folder = tempfile.gettempdir()",
    "an entry": "folder = os.environ['TMPDIR']",
    "get": "folder = os.environ.get('TMPDIR', '/tmp')",
    "getenv": "folder = os.getenv('TMPDIR')",
}


@pytest.mark.parametrize("text", SHARED.values(), ids=SHARED)
def test_a_program_that_names_a_file_in_the_temporary_folder_is_told_whose_that_is(program_of, text):
    (warning,) = program_warnings(program_of(f"import os, tempfile\n{text}\n"), is_script=True)

    assert warning == (
        f"train.py:{2 + text.count(chr(10))}: each trial has a temporary folder of its own, which is removed with it: "
        "trials share no lock and no file there"
    )


@pytest.mark.parametrize(
    "text",
    [
        "folder = tempfile.mkdtemp(dir=tempfile.gettempdir())",
        "with tempfile.TemporaryDirectory() as folder: pass",
        "os.environ['TMPDIR'] = '/scratch'",
        "lock = FileLock('/tmp/mnist.lock')",
        "held['TMPDIR']",
    ],
)
def test_a_program_whose_temporary_files_have_names_of_their_own_is_told_nothing(program_of, text):
    assert program_warnings(program_of(f"import os, tempfile\n{text}\n"), is_script=True) == ()


@pytest.mark.parametrize("others", [{"tune.py": ""}, {"tune/__init__.py": ""}, {"tune/space.py": ""}], ids=str)
def test_a_module_of_our_packages_name_is_refused(program_of, others):
    text = "import tune.space" if "tune/space.py" in others else "import tune"
    with pytest.raises(ProgramError) as error:
        check_names(program_of(text, others))

    assert str(error.value) == (
        f"{next(iter(others))}: the program imports its own `tune`, and that is the name of Promotune's package, too\n"
        "  Give it another name; in a trial the other one would be imported."
    )


BESIDE = {
    "lightning.py": "import lightning.pytorch as pl\n",
    "torch.py": "import pytorch_lightning as pl\n",
    "pytorch_lightning/__init__.py": "from pytorch_lightning import Trainer\n",
    "numpy.py": "print()\n",
    "optuna.py": "import optuna\n",
}


@pytest.mark.parametrize(("name", "text"), BESIDE.items(), ids=BESIDE)
def test_a_module_beside_the_program_that_hides_a_library_is_refused(program_of, name, text):
    with pytest.raises(ProgramError) as error:
        check_names(program_of(text, {name: ""}))

    library = name.partition("/")[0].removesuffix(".py")
    assert str(error.value) == (
        f"{name}: it lies where the program imports from, and hides the `{library}` that is installed\n"
        "  Give it another name."
    )


def test_a_copy_of_a_library_in_a_folder_that_is_appended_hides_nothing(program_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fork = {"third_party/torch/__init__.py": "", "third_party/numpy.py": "", "third_party/own.py": ""}
    program = program_of("import sys\nsys.path.append('third_party')\nimport own, torch, numpy\n", fork)

    check_names(program)
    assert list(program.sources) == ["train.py", "third_party/own.py"]


@pytest.mark.parametrize("text", ["sys.path.insert(0, 'third_party')", "sys.path[:0] = ['third_party']"])
def test_a_copy_of_a_library_in_a_folder_that_is_put_first_is_refused(program_of, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProgramError) as error:
        check_names(program_of(f"import sys\n{text}\nimport torch\n", {"third_party/torch/__init__.py": ""}))

    assert str(error.value) == (
        "third_party/torch/__init__.py: it lies where the program imports from, and hides the `torch` that is installed"
        "\n  Give it another name."
    )


def test_a_module_of_our_packages_name_in_a_folder_that_is_appended_is_refused(program_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProgramError) as error:
        check_names(program_of("import sys\nsys.path.append('lib')\nimport tune\n", {"lib/tune.py": ""}))

    assert str(error.value).startswith("lib/tune.py: the program imports its own `tune`, ")


def test_a_module_with_the_name_of_a_library_that_is_not_imported_is_none_of_ours(program_of):
    check_names(program_of("import pytorch_lightning\n", {"lightning.py": "", "optuna.py": ""}))
    check_names(program_of("import pytorch_lightning\n", {"app/torch.py": ""}))


@pytest.mark.parametrize("name", ["tune.py", "tune/__init__.py", "ray.py", "numpy/__init__.py", "typing.py"])
def test_a_module_in_the_working_directory_that_a_worker_would_import_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(ProgramError) as error:
        check_folder(tmp_path)

    module = name.partition("/")[0]
    assert str(error.value) == (
        f"{tmp_path}/{module}: the workers would import it for the `{module.removesuffix('.py')}` that they need\n"
        "  Give it another name, or start the search from another folder."
    )


def test_modules_in_the_working_directory_that_no_worker_imports_are_none_of_ours(tmp_path):
    for name in ("utils.py", "config.py", "lit/__init__.py", "tests/__init__.py", "tune/space.py", "run_search.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    check_folder(tmp_path)


def test_a_module_of_our_packages_name_that_is_not_imported_is_none_of_ours(program_of):
    check_names(program_of("import torch", {"tune.py": ""}))
    check_names(program_of("from app import tune", {"app/__init__.py": "", "app/tune.py": ""}))
