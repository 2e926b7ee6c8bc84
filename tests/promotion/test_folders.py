"""The modules of a project are found where a plain run finds them, and a trial executes their snapshot."""

import os
import subprocess
import sys
import textwrap

import pytest

from tune.errors import ConstantError
from tune.promotion.checks.outside_modules import find_outside_modules
from tune.promotion.checks.program_checks import program_warnings
from tune.promotion.configs.read_files import values_of_config_files
from tune.promotion.execute import Executor
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.project_folders import added_folders
from tune.promotion.snapshot import open_snapshot, take_snapshot

SAYS = "print(f'SEEN {X}')\n"
CONFIG = "X = 1\n"
ROOT = "sys.path.insert(0, str(Path(__file__).resolve().parents[1]))"

LAYOUTS = {
    "src layout, installed": (
        {"pyproject.toml": "", "src/housing/__init__.py": "", "src/housing/config.py": CONFIG}
        | {"src/housing/train.py": "from housing.config import X\n" + SAYS},
        "src/housing/train.py",
        "src",
    ),
    "src layout without a marker": (
        {"src/housing/__init__.py": "", "src/housing/config.py": CONFIG}
        | {"src/housing/train.py": "from housing import config\nX = config.X\n" + SAYS},
        "src/housing/train.py",
        "src",
    ),
    "src layout, a namespace package": (
        {"pyproject.toml": "", "src/housing/conf/config.py": CONFIG}
        | {"src/housing/train.py": "from housing.conf.config import X\n" + SAYS},
        "src/housing/train.py",
        "src",
    ),
    "src is a package": (
        {"pyproject.toml": "", "src/__init__.py": "", "src/config.py": CONFIG}
        | {"src/train.py": "from src.config import X\n" + SAYS},
        "src/train.py",
        ".",
    ),
    "src is a namespace package with relative imports": (
        {"pyproject.toml": "", "src/config.py": CONFIG, "src/train.py": "from .config import X\n" + SAYS},
        "src/train.py",
        ".",
    ),
    "a script beside a package": (
        {"pyproject.toml": "", "mypkg/__init__.py": "", "mypkg/config.py": CONFIG}
        | {"scripts/train.py": "from mypkg.config import X\n" + SAYS},
        "scripts/train.py",
        ".",
    ),
    "a script beside a package in src": (
        {"pyproject.toml": "", "src/mypkg/__init__.py": "", "src/mypkg/config.py": CONFIG}
        | {"scripts/train.py": "from mypkg.config import X\n" + SAYS},
        "scripts/train.py",
        "src",
    ),
    "a script beside a folder of data of the package's name": (
        {"pyproject.toml": "", "mypkg/__init__.py": "", "mypkg/config.py": CONFIG, "scripts/mypkg/notes.txt": ""}
        | {"scripts/train.py": "from mypkg.config import X\n" + SAYS},
        "scripts/train.py",
        ".",
    ),
    "a namespace package in two folders": (
        {"pyproject.toml": "", "scripts/org/data.py": "", "org/conf/config.py": CONFIG}
        | {"scripts/train.py": "import org.data\nfrom org.conf.config import X\n" + SAYS},
        "scripts/train.py",
        ".",
    ),
    "a library folder on PYTHONPATH": (
        {"pyproject.toml": "", "lib/deep/mypkg/config.py": CONFIG}
        | {"scripts/train.py": "from mypkg.config import X\n" + SAYS},
        "scripts/train.py",
        "lib/deep",
    ),
    "no marker, the project on PYTHONPATH": (
        {"mypkg/config.py": CONFIG, "scripts/train.py": "from mypkg.config import X\n" + SAYS},
        "scripts/train.py",
        ".",
    ),
    "a project of several in a repository": (
        {".git/HEAD": "", "one/pyproject.toml": "", "one/src/pkg/config.py": CONFIG, "two/src/pkg/config.py": "X = 2"}
        | {"one/src/pkg/train.py": "from pkg.config import X\n" + SAYS},
        "one/src/pkg/train.py",
        "one/src",
    ),
    "a project of several that adds another": (
        {".git/HEAD": "", "one/pyproject.toml": "", "two/pyproject.toml": "", "two/common/config.py": CONFIG}
        | {
            "one/train.py": "import sys\nfrom pathlib import Path\n"
            "sys.path.append(str(Path(__file__).parents[1] / 'two'))\nfrom common.config import X\n" + SAYS
        },
        "one/train.py",
        None,
    ),
    "parents[1]": (
        {"mypkg/config.py": CONFIG}
        | {
            "scripts/train.py": f"import sys\nfrom pathlib import Path\n{ROOT}\nfrom mypkg.config import X\n" + SAYS,
        },
        "scripts/train.py",
        None,
    ),
    "a name for the folder": (
        {"lib/mypkg/config.py": CONFIG}
        | {
            "scripts/train.py": "import os, sys\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
            "LIB = os.path.join(HERE, os.pardir, 'lib')\nsys.path = [LIB, *sys.path]\n"
            "from mypkg.config import X\n" + SAYS,
        },
        "scripts/train.py",
        None,
    ),
    "added by another module": (
        {"pyproject.toml": "", "tools/deep/config.py": CONFIG}
        | {
            "context.py": "import sys\nfrom pathlib import Path\n"
            "sys.path += [str(Path(__file__).parent / 'tools' / 'deep')]\n",
            "train.py": "import context\nfrom config import X\n" + SAYS,
        },
        "train.py",
        None,
    ),
    "an exported notebook": (
        {"pyproject.toml": "", "mypkg/config.py": CONFIG}
        | {
            "notebooks/train.py": "#!/usr/bin/env python\n# coding: utf-8\n\n# # Training\n\n# In[1]:\n\n\n"
            "# %matplotlib inline\nimport sys\nsys.path.append('..')\n\n# In[2]:\n\nfrom mypkg.config import X\n"
            + SAYS,
        },
        "notebooks/train.py",
        None,
    ),
}


@pytest.fixture
def write(tmp_path):
    def write(files, folder="project"):
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / folder

    return write


def executor_of(path, folder, *keys):
    program = find_program(path)
    constants = find_constants(program)
    sites = {key: find_constant(key, program, constants, "s.yaml:1").sites for key in keys}
    take_snapshot(program, folder)
    return Executor(open_snapshot(folder), sites)


def run_main(executor, capsys, **values):
    with executor.promoted_imports(values) as in_force:
        executor.execute_main(in_force)
    return capsys.readouterr().out


@pytest.mark.parametrize(("files", "main", "entry"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_trial_finds_what_a_plain_run_finds(files, main, entry, write, tmp_path, monkeypatch, capsys):
    project = write(files)
    monkeypatch.chdir(project / main.rpartition("/")[0])
    if entry is not None:
        monkeypatch.setenv("PYTHONPATH", str(project / entry))
        monkeypatch.syspath_prepend(str(project / entry))  # as Python does at its start
    if "from ." not in files[main]:
        plain = subprocess.run([sys.executable, project / main], capture_output=True, text=True, check=False)
        assert plain.stdout == "SEEN 1\n", plain.stderr
    executor = executor_of(project / main, tmp_path / "snapshot", "X")
    config = next(name for name, text in files.items() if text == CONFIG)
    (project / config).write_text("X = 'edited meanwhile'\n")

    assert run_main(executor, capsys, X=7) == "SEEN 7\n"
    assert run_main(executor, capsys) == "SEEN 1\n"
    assert find_constants(executor.snapshot.stored_program)
    with executor.import_program({"X": 7}) as (module, _):
        assert module.X == 7


FORMS = {
    "sys.path.append('..')": "..",
    "sys.path.append('../lib')": "../lib",
    "sys.path.insert(0, str(Path(__file__).parents[1]))": "..",
    "sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))": "../lib",
    "sys.path.extend([os.path.join(os.path.dirname(__file__), '..', 'lib')])": "../lib",
    "sys.path += [os.path.dirname(__file__) + '/../lib']": "../lib",
    "sys.path[:0] = [os.path.abspath('..')]": "..",
    "sys.path = ['../lib'] + sys.path": "../lib",
    "sys.path.append(os.getcwd() + '/../lib')": "../lib",
    "sys.path.insert(1, Path.cwd().parent.as_posix())": "..",
    "sys.path.append(os.path.realpath(os.path.join(os.path.dirname(__file__), os.pardir)))": "..",
    "site.addsitedir(Path(__file__).absolute().parent.joinpath('..', 'lib'))": "../lib",
    "if 1:\n    ROOT = Path(__file__).parent.parent\n    sys.path.append(f'x'); sys.path.append(str(ROOT))": "..",
    "sys.path.append(os.environ['LIB'])": None,
    "sys.path.append(str(Path(__file__).parents[99]))": None,
}


@pytest.mark.parametrize(("text", "folder"), FORMS.items(), ids=FORMS)
def test_a_folder_that_is_added_to_sys_path_is_read_from_the_source(text, folder, write, monkeypatch):
    project = write({"scripts/train.py": text, "lib/x.py": ""})
    monkeypatch.chdir(project / "scripts")

    expected = [] if folder is None else [(project / "scripts" / folder).resolve()]
    assert [each.path for each in added_folders(text.encode(), project / "scripts" / "train.py")] == expected


BEHIND = {
    "sys.path.append('../lib')": True,
    "sys.path.extend(['../lib'])": True,
    "sys.path += ['../lib']": True,
    "sys.path.insert(len(sys.path), '../lib')": True,
    "sys.path.insert(999, '../lib')": True,
    "sys.path[len(sys.path):] = ['../lib']": True,
    "sys.path = sys.path + ['../lib']": True,
    "sys.path = [*sys.path, '../lib']": True,
    "sys.path[:] = [p for p in sys.path if p] + ['../lib']": True,
    "site.addsitedir('../lib')": True,
    "from site import addsitedir; addsitedir('../lib')": True,
    "sys.path.insert(0, '../lib')": False,
    "sys.path.insert(1, '../lib')": False,
    "sys.path.insert(-1, '../lib')": False,
    "sys.path.insert(PLACE, '../lib')": False,
    "sys.path[0:0] = ['../lib']": False,
    "sys.path[:0] = ['../lib']": False,
    "sys.path = ['../lib'] + sys.path": False,
    "sys.path = ['../lib', *sys.path]": False,
    "sys.path = ['../lib']": False,
}


@pytest.mark.parametrize(("text", "is_behind"), BEHIND.items(), ids=BEHIND)
def test_the_source_says_whether_a_folder_is_added_before_or_behind_what_is_installed(
    text, is_behind, write, monkeypatch
):
    project = write({"scripts/train.py": text, "lib/x.py": ""})
    monkeypatch.chdir(project / "scripts")

    (added,) = added_folders(text.encode(), project / "scripts" / "train.py")
    assert (added.path, added.is_behind) == (project / "lib", is_behind)


FORK = "WHICH = 'fork'\n"
INSTALLED_PACKAGE = {"site-packages/dep/__init__.py": "WHICH = 'installed'\n", "site-packages/other.py": ""}
READS_BOTH = "from dep import WHICH\nfrom own import X\nprint(f'SEEN {WHICH} {X}')\n"
PLACES = {
    "appended": ("sys.path.append(LIB)", False, "SEEN installed 7\n"),
    "inserted": ("sys.path.insert(0, LIB)", False, "SEEN fork 7\n"),
    "inserted behind all": ("sys.path.insert(len(sys.path), LIB)", False, "SEEN installed 7\n"),
    "PYTHONPATH": ("", True, "SEEN fork 7\n"),
    "PYTHONPATH, and appended": ("sys.path.append(LIB)", True, "SEEN fork 7\n"),
}


@pytest.mark.parametrize(("text", "on_path", "seen"), PLACES.values(), ids=PLACES)
def test_a_copy_of_an_installed_library_counts_where_a_plain_run_imports_it(
    text, on_path, seen, write, tmp_path, monkeypatch, capsys
):
    text = f"import sys\nfrom pathlib import Path\nLIB = str(Path(__file__).parent / 'third_party')\n{text}\n"
    project = write(
        {"pyproject.toml": "", "train.py": text + READS_BOTH, "third_party/own.py": CONFIG}
        | {"third_party/dep/__init__.py": FORK}
    )
    write(INSTALLED_PACKAGE, "env")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "env" / "site-packages")])
    if on_path:
        monkeypatch.syspath_prepend(str(project / "third_party"))
    executor = executor_of(project / "train.py", tmp_path / "snapshot", "X")

    assert ("third_party/dep/__init__.py" in executor.snapshot.program.sources) == ("fork" in seen)
    assert run_main(executor, capsys, X=7) == seen


def test_a_folder_of_an_editable_install_stands_behind_what_is_installed(write, tmp_path, monkeypatch, capsys):
    files = {"pyproject.toml": "", "train.py": READS_BOTH, "lib/own.py": CONFIG, "lib/dep/__init__.py": FORK}
    project = write(files)
    write(INSTALLED_PACKAGE, "env")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "env" / "site-packages"), str(project / "lib")])
    executor = executor_of(project / "train.py", tmp_path / "snapshot", "X")
    (project / "lib" / "own.py").write_text("X = 'edited meanwhile'\n")

    assert run_main(executor, capsys, X=7) == "SEEN installed 7\n"


def test_a_root_that_is_appended_stands_behind_what_is_installed(write, tmp_path, monkeypatch):
    project = write(
        {"pyproject.toml": "", "dep/__init__.py": FORK, "own.py": CONFIG}
        | {"scripts/train.py": f"import sys\nsys.path.append('..')\n{READS_BOTH}"}
    )
    write(INSTALLED_PACKAGE, "env")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "env" / "site-packages")])
    monkeypatch.chdir(project / "scripts")

    assert list(find_program(project / "scripts" / "train.py").sources) == ["scripts/train.py", "own.py"]


def test_an_appended_folder_outside_of_the_project_hides_nothing_that_is_installed(write, tmp_path, monkeypatch):
    project = write({"pyproject.toml": "", "train.py": "import sys\nsys.path.append('../libs')\nimport dep, mine\n"})
    write({"dep.py": FORK, "mine.py": CONFIG}, "libs")
    write(INSTALLED_PACKAGE, "env")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "env" / "site-packages")])
    monkeypatch.chdir(project)

    assert [each.name for each in find_outside_modules(find_program(project / "train.py"))] == ["mine"]


class Editable:
    """A finder as some build tools install it: it leads to the original files."""

    def __init__(self, name, path):
        self.name, self.path = name, path

    def find_spec(self, fullname, path=None, target=None):
        from importlib.util import spec_from_file_location

        if fullname != self.name:
            return None
        return spec_from_file_location(fullname, self.path, submodule_search_locations=[str(self.path.parent)])


@pytest.mark.parametrize("place", [0, 99], ids=["before all", "behind all"])
@pytest.mark.parametrize("folder", ["src/housing", "housing", "odd/housing"])
def test_an_editable_install_does_not_lead_past_the_snapshot(folder, place, write, tmp_path, monkeypatch, capsys):
    project = write(
        {"pyproject.toml": "", f"{folder}/__init__.py": "", f"{folder}/config.py": CONFIG}
        | {f"{folder}/train.py": "from housing.config import X\n" + SAYS}
    )
    finders = list(sys.meta_path)
    finders.insert(place, Editable("housing", project / folder / "__init__.py"))
    monkeypatch.setattr(sys, "meta_path", finders)
    executor = executor_of(project / folder / "train.py", tmp_path / "snapshot", "X")
    (project / folder / "config.py").write_text("X = 'edited meanwhile'\n")

    assert run_main(executor, capsys, X=7) == "SEEN 7\n"
    assert sys.meta_path == finders


def test_a_package_that_an_editable_install_alone_leads_to_is_searched(write, tmp_path, monkeypatch, capsys):
    files = {"python/core/config.py": CONFIG, "python/core/__init__.py": ""}
    project = write({"pyproject.toml": "", "train.py": "from core.config import X\n" + SAYS, **files})
    finder = Editable("core", project / "python" / "core" / "__init__.py")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    executor = executor_of(project / "train.py", tmp_path / "snapshot", "X")
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:-1])  # on a node where it is not installed

    assert run_main(executor, capsys, X=7) == "SEEN 7\n"


def test_a_module_outside_is_named_with_the_line_that_imports_it(write, tmp_path, monkeypatch):
    project = write(
        {"pyproject.toml": "", "train.py": "import torch\nimport shared.config\nfrom shared import other\n"}
    )
    write({"shared/config.py": "import json\nX = 1\n", "shared/other.py": "Y: int = 2\n"}, "libraries")
    monkeypatch.syspath_prepend(str(tmp_path / "libraries"))
    program = find_program(project / "train.py")

    assert [(each.name, each.place) for each in find_outside_modules(program)] == [
        ("shared.config", "train.py:2"),
        ("shared.other", "train.py:3"),
    ]
    (warning,) = program_warnings(program, is_script=True)
    assert warning == (
        f"train.py:2: shared.config ({tmp_path}/libraries/shared/config.py) lies outside of the project {project}: "
        "nothing of it is searched"
    )
    for name, file, line in (("X", "config", "config.py:2"), ("other.Y", "other", "other.py:1")):
        with pytest.raises(ConstantError) as error:
            find_constant(name, program, find_constants(program), "s.yaml:4")
        assert str(error.value) == (
            f"s.yaml:4: {name!r} lies outside of the project {project}: {tmp_path}/libraries/shared/{line}\n"
            f"  train.py:{2 if file == 'config' else 3} imports it. Move it into the project, or assign it there."
        )


def test_a_folder_that_the_program_adds_outside_of_the_project_is_named(write, tmp_path, monkeypatch):
    project = write({"pyproject.toml": "", "train.py": "import sys\nsys.path.append('../clip')\nimport clip\n"})
    write({"clip.py": CONFIG}, "clip")
    monkeypatch.chdir(project)

    (outside,) = find_outside_modules(find_program(project / "train.py"))
    assert (outside.path, outside.place) == (tmp_path / "clip" / "clip.py", "train.py:3")


INSTALLED = {
    "site-packages": ("lib/site-packages/dep.py",),
    "pip install --target": ("target/dep/__init__.py", "target/dep-1.0.dist-info/METADATA"),
}


@pytest.mark.parametrize("names", INSTALLED.values(), ids=INSTALLED)
def test_what_is_installed_is_not_outside(names, write, tmp_path, monkeypatch):
    project = write({"pyproject.toml": "", "train.py": "import dep, os, torch.nn, nowhere\nimport tune\n"})
    write(dict.fromkeys(names, ""), "elsewhere")
    monkeypatch.syspath_prepend(str((tmp_path / "elsewhere" / names[0]).parents[names[0].count("/") - 1]))

    assert find_outside_modules(find_program(project / "train.py")) == ()


def test_a_notebooks_line_magics_are_left_out_and_named(write, tmp_path, capsys):
    text = """\
        # In[1]:
        get_ipython().run_line_magic('matplotlib', 'inline')
        get_ipython().system('pip install lightning')
        X = 1
        # In[2]:
        try:
            shell = get_ipython().__class__.__name__
        except NameError:
            shell = None
        print(shell, X)
    """
    project = write({"pyproject.toml": "", "train.py": textwrap.dedent(text)})
    executor = executor_of(project / "train.py", tmp_path / "snapshot", "X")

    assert run_main(executor, capsys, X=7) == "None 7\n"
    assert program_warnings(executor.snapshot.program, is_script=True) == (
        "train.py:2, train.py:3: `get_ipython()` is there in a notebook alone: trials leave such lines out",
    )


def test_a_home_folder_is_no_project(write, tmp_path, monkeypatch):
    home = write({"work/train.py": "import sys\nsys.path.append('..')\n"}, "home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "work")

    assert find_program(home / "work" / "train.py").root == home / "work"


def test_each_module_is_looked_for_once(write, monkeypatch):
    names = [f"m{number}" for number in range(30)]
    files = {f"pkg/{name}.py": "".join(f"from pkg import {each}\n" for each in names) for name in names}
    project = write({"pyproject.toml": "", "pkg/__init__.py": "", **files, "train.py": "import pkg.m0\n"})
    asked = []
    is_file = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *args, **given: (asked.append(path), is_file(path, *args, **given))[1])

    assert len(find_program(project / "train.py").sources) == 32
    assert len([path for path in asked if str(path).startswith(str(project / "pkg"))]) < 300


def test_a_project_has_a_root_where_nobody_knows_of_a_home_folder(tmp_path, monkeypatch):
    program = tmp_path / "work" / "train.py"
    program.parent.mkdir()
    program.write_text("import sys\nsys.path.append('..')\n")
    monkeypatch.chdir(program.parent)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # as in a container for a user of any number

    assert find_program(program).root == tmp_path


@pytest.mark.parametrize(
    ("files", "program", "root"),
    [
        ({"params.yaml": "", "src/train.py": ""}, "src/train.py", "."),
        ({"requirements.txt": "", "code/train.py": ""}, "code/train.py", "."),
        ({"README.md": "", "experiments/digits/train.py": ""}, "experiments/digits/train.py", "."),
        ({"README.md": "", "a/b/c/train.py": ""}, "a/b/c/train.py", "a/b/c"),
        ({"README.md": "", "one/README.md": "", "one/train.py": ""}, "one/train.py", "one"),
        ({"params.yaml": "", "code/train.py": ""}, "code/train.py", "code"),
        ({"configs/a.yaml": "", "src/requirements.txt": "", "src/train.py": ""}, "src/train.py", "."),
    ],
)
def test_the_project_of_a_program_without_a_marker_is_found_by_its_usual_files(files, program, root, write):
    project = write(files)

    assert find_program(project / program).root == project / root


def test_nothing_is_imported_from_a_project_that_its_usual_files_show(write, tmp_path):
    source = "try:\n    from extra import X\nexcept ImportError:\n    X = 1\n"
    project = write({"README.md": "", "extra/__init__.py": "X = 2\n", "a/train.py": source})
    program = find_program(project / "a/train.py")

    assert program.root == project
    assert list(program.sources) == ["a/train.py"]
    assert project not in (*program.search_path.before, *program.search_path.behind)


def test_a_config_file_beside_src_is_found_from_the_projects_folder(write, monkeypatch):
    source = "import yaml\nparams = yaml.safe_load(open('params.yaml'))\nprint(params['train']['lr'])\n"
    project = write({"src/train.py": source, "params.yaml": "train:\n  lr: 0.1\n"})
    monkeypatch.chdir(project)

    place, value = values_of_config_files(find_program(project / "src/train.py"))["train.lr"]

    assert (str(place), value) == ("params.yaml:2", 0.1)
