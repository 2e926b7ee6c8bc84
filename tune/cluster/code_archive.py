"""What travels to the nodes of a cluster: the package `tune`, and the project without what git ignores.

One zip archive, which Ray's ``working_dir`` takes to every node. The same files make the same archive, and Ray carries
that once.
"""

import functools
import shutil
import subprocess
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import tune
from tune.errors import OptionError, UserError
from tune.paths import ExperimentPaths, display_path
from tune.promotion.program import Program
from tune.promotion.project_folders import FOREIGN_FOLDERS
from tune.trial.messages import PROJECT

MOST_BYTES = 100 * 10**6
"""Of the project. Ray keeps the archive in the memory of the head node, and takes up to 512 MiB."""
MOST_FILES = 20_000
MOST_NAMED = 3
MB = 10**6
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip archive knows: all files have it, so that the archive does not tell when they were made."""
ENVIRONMENT = "pyvenv.cfg"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeArchive:
    """An archive that was packed."""

    path: Path
    n_bytes: int
    """Of the project, before it was packed."""
    refused: UserError | None
    """Why the project is not in it; it may be that the nodes see its folder anyway."""


def build_archive(program: Program, folder: Path) -> CodeArchive:
    """Pack what travels into a file in ``folder``."""
    path, refused, files = folder / "promotune.zip", None, list[Path]()
    try:
        files = _check_total_size(program.root, find_project_files(program.root))
    except UserError as error:
        refused = error
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        package = Path(tune.__file__).parent
        for file in sorted(package.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                _add_file(archive, file, f"{package.name}/{file.relative_to(package).as_posix()}")
        for file in sorted(files):
            _add_file(archive, file, f"{PROJECT}/{file.relative_to(program.root).as_posix()}")
    return CodeArchive(path=path, n_bytes=sum(file.stat().st_size for file in files), refused=refused)


def find_project_files(root: Path) -> Iterator[Path]:
    """Yield the files below a folder that git does not ignore; no hidden folders, environments and experiments."""
    for name in _list_unignored(root):
        path = root / name
        if path.is_dir() and not path.is_symlink():  # a repository in the repository
            yield from find_project_files(path)
        elif path.is_file() and not _is_foreign(path, root):
            yield path


def _is_foreign(path: Path, root: Path) -> bool:
    folders = path.relative_to(root).parts[:-1]
    if FOREIGN_FOLDERS & set(folders) or any(folder.startswith(".") for folder in folders):
        return True
    between = path.parents[: len(folders)]
    return any(_has_no_source(folder) for folder in between)


@functools.cache
def _has_no_source(folder: Path) -> bool:
    return (folder / ENVIRONMENT).is_file() or ExperimentPaths(folder).journal.is_file()


def _list_unignored(root: Path) -> Iterable[str]:
    """Ask git; where the folder is in no repository, in one that is empty and elsewhere."""
    if shutil.which("git") is None:
        if next(root.rglob(".gitignore"), None) is not None:
            what = f"{display_path(root)} has a .gitignore, and git, which can read it, is not installed"
            raise OptionError("--address", what, "Install git.")
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    found = _ask_git(root, [])
    if found is None:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "init", "--quiet", folder], check=True, capture_output=True)  # noqa: S603, S607
            found = _ask_git(root, [f"--git-dir={folder}/.git", f"--work-tree={root}"])
    return found or []


def _ask_git(root: Path, where: list[str]) -> list[str] | None:
    """Return the names that git knows or would add; None where it knows no repository."""
    listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git = ["git", "-c", "safe.directory=*", *where, *listing]  # a mounted folder may be somebody else's
    done = subprocess.run(git, cwd=root, check=False, capture_output=True)  # noqa: S603
    if done.returncode != 0:
        return None
    return [name.decode(errors="surrogateescape") for name in done.stdout.split(b"\0") if name]


def _check_total_size(root: Path, files: Iterable[Path]) -> list[Path]:
    """Return the files; raise OptionError with the largest where they are too many or too much to travel."""
    found: list[Path] = []
    sizes: Counter[str] = Counter()
    for file in files:
        found.append(file)
        top, *below = file.relative_to(root).parts
        sizes[f"{top}/" if below else top] += file.stat().st_size
    n_bytes = sizes.total()
    if n_bytes <= MOST_BYTES and len(found) <= MOST_FILES:
        return found
    largest = ", ".join(f"{name} ({size / MB:.1f} MB)" for name, size in sizes.most_common(MOST_NAMED))
    what = (
        f"the project {display_path(root)} is too large to travel to the nodes: "
        f"{n_bytes / MB:.1f} MB in {len(found)} files, "
        f"at most {MOST_BYTES // MB} MB in {MOST_FILES}"
    )
    hint = f"The largest: {largest}. List in .gitignore what no trial reads, or let all nodes mount the project."
    raise OptionError("--address", what, hint)


def _add_file(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    info = zipfile.ZipInfo(name, LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (file.stat().st_mode & 0o777) << 16
    archive.writestr(info, file.read_bytes())
