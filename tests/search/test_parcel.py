"""What travels to the nodes of a cluster, and what does not."""

import subprocess
import zipfile

import pytest

from tune.cluster import code_archive as parcel
from tune.cluster.code_archive import build_archive, find_project_files
from tune.promotion.program import find_program

TREE = {
    ".gitignore": "*.ckpt\n/out/\n",
    "train.py": "LR = 0.1\n",
    "model/net.py": "WIDTH = 4\n",
    "model/.gitignore": "cache.txt\n",
    "model/cache.txt": "x",
    "data/train.csv": "1,2\n",
    "last.ckpt": "x",
    "out/log.txt": "x",
    ".venv/lib/torch.py": "x",
    "env/pyvenv.cfg": "",
    "env/lib/torch.py": "x",
    "__pycache__/train.pyc": "x",
    "ray_results/s/study.journal": "",
    "ray_results/s/000,baseline/log.txt": "x",
}
TRAVELS = {".gitignore", "train.py", "model/net.py", "model/.gitignore", "data/train.csv"}


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    for name, text in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "pyproject.toml").touch()
    return root


def git(root, *words):
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


def names(root):
    return {path.relative_to(root).as_posix() for path in find_project_files(root)}


@pytest.mark.parametrize("in_repository", [True, False])
def test_what_git_ignores_does_not_travel_nor_do_environments_and_experiments(project, in_repository):
    if in_repository:
        git(project, "init", "--quiet")
    assert names(project) == {*TRAVELS, "pyproject.toml"}


def test_of_a_repository_above_its_rules_hold_and_files_that_were_deleted_are_none(project):
    root = project.parent
    (root / ".gitignore").write_text("data/\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    (project / "model" / "net.py").unlink()
    assert names(project) == {*TRAVELS, "pyproject.toml"} - {"data/train.csv", "model/net.py"}


def test_a_repository_in_the_repository_travels_too(project):
    git(project, "init", "--quiet")
    inner = project / "inner"
    inner.mkdir()
    (inner / "layers.py").touch()
    git(inner, "init", "--quiet")
    git(inner, "add", ".")
    git(inner, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "a")
    assert "inner/layers.py" in names(project)


def test_the_archive_holds_tune_and_the_project_and_is_the_same_each_time(project, tmp_path):
    program = find_program(project / "train.py")
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, again = (build_archive(program, folder) for folder in folders)
    held = zipfile.ZipFile(first.path).namelist()
    assert {f".project/{name}" for name in TRAVELS} <= set(held)
    assert {"tune/__init__.py", "tune/trial/trainable.py"} <= set(held)
    assert not [name for name in held if "__pycache__" in name]
    assert first.refused is None
    assert first.path.read_bytes() == again.path.read_bytes()


def test_a_project_that_is_too_large_is_refused_with_its_largest_parts_and_tune_travels_alone(
    project, tmp_path, monkeypatch
):
    monkeypatch.setattr(parcel, "MOST_BYTES", 10**6)
    (project / "data" / "train.csv").write_bytes(b"1" * 2_500_000)
    (project / "weights.bin").write_bytes(b"1" * 300_000)
    packed = build_archive(find_program(project / "train.py"), tmp_path)
    assert str(packed.refused) == (
        f"--address: the project {project} is too large to travel to the nodes: "
        "2.8 MB in 7 files, at most 1 MB in 20000\n"
        "  The largest: data/ (2.5 MB), weights.bin (0.3 MB), model/ (0.0 MB). "
        "List in .gitignore what no trial reads, or let all nodes mount the project."
    )
    held = zipfile.ZipFile(packed.path).namelist()
    assert "tune/__init__.py" in held
    assert not [name for name in held if name.startswith(".project/")]


def test_a_gitignore_that_nobody_can_read_is_told(project, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    packed = build_archive(find_program(project / "train.py"), tmp_path)
    assert str(packed.refused) == (
        f"--address: {project} has a .gitignore, and git, which can read it, is not installed\n  Install git."
    )
