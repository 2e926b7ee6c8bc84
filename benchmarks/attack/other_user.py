"""Another user of the machine looks at a search that runs: its files, sockets, ports, and links planted beforehand."""

import contextlib
import encodings.idna  # noqa: F401 - now: the other user may not be let read Python's own files
import os
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.attack.searches import MOST_S, Findings, Project, ended_trials, projects, wait_for

NOBODY = 65534
"""The user who attacks; whoever runs this is root, and searches."""
PLACE = Path("/tmp")
CONNECT = f"""
import os, sys
from ray._raylet import GcsClient
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
print("connected", GcsClient(address=sys.argv[1]).internal_kv_keys(b"", b"promotune", 5))
"""
WITHOUT_TOKEN = ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64})


def look_as_another(place: Path, seed: int, n: int) -> list[Findings]:
    """Look ``n`` times at a search that trains."""
    found = {name: Findings(f"another user: {name}") for name in ("files", "sockets", "ports", "links")}
    if os.geteuid() != 0:
        found["files"].note("not tried: only root can become another user")
        return list(found.values())
    place.chmod(0o755)
    with projects(place, seed + 4) as make:
        for _ in range(n):
            project = make(trials=2, epochs=400, pace_s=0.2)
            with _planted_links(project, found["links"]):
                _look(project, found)
            project.close()
    return list(found.values())


def _look(project: Project, found: dict[str, Findings]) -> None:
    home = project.folder / "home"
    home.mkdir()
    project.environment = {**project.environment, "HOME": str(home), "TMPDIR": str(PLACE)}
    process = project.start("--space", "s.yaml", "--name", "s")
    wait_for(lambda: "Ray dashboard" in (project.folder / "out.txt").read_text(), process)
    assert process.poll() is None, (project.folder / "out.txt").read_text()
    family = project.family()
    temporary = Path(_find_option(family, "--temp_dir=")).parent  # Ray's own is open to all, within this one
    _check_files(project, family, temporary, home, found["files"])
    _check_sockets(family, found["sockets"])
    _check_ports(family, found["ports"])
    process.terminate()
    process.wait(MOST_S)


def _find_option(family: list[psutil.Process], option: str) -> str:
    """Return what an option says that one of Ray's processes was given."""
    words = (word for each in family for word in _words(each))
    return next(word.removeprefix(option) for word in words if word.startswith(option))


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def as_nobody(function: Callable[[], Any]) -> Any:
    """Return what a function returns for another user, in a process of its own."""
    import pickle

    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            result: Any = function()
        except BaseException as error:
            result = error
        os.write(write, pickle.dumps(result))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        result = pickle.loads(answer.read())
    os.waitpid(pid, 0)
    if isinstance(result, BaseException):
        raise result
    return result


def _check_files(project: Project, family: list[psutil.Process], temporary: Path, home: Path, found: Findings) -> None:
    """Check each file below the search's folders, and each that a process has open."""
    opened = set()
    for each in family:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{each.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    opened.add(str(descriptor.readlink()))
    below = [str(path) for top in (temporary, home, project.folder) for path in top.rglob("*")]
    shared = [str(path) for path in Path("/dev/shm").iterdir()]
    named = (*opened, *below, *shared, str(temporary))
    paths = sorted({path for path in named if path.startswith("/") and "(deleted)" not in path})
    rights = as_nobody(lambda: {path: (os.access(path, os.R_OK), os.access(path, os.W_OK)) for path in paths})
    public = ("/dev/null", "/dev/urandom", "/dev/tty", "/dev/zero")
    for path, (readable, writable) in rights.items():
        if path in public or path.startswith(("/proc/", "/sys/", "/dev/pts")):
            continue
        found.n += 1
        mode = oct(stat.S_IMODE(os.lstat(path).st_mode)) if os.path.lexists(path) else "gone"
        found.check(not writable, f"{path} ({mode}) is writable")
        if readable and path.startswith((str(temporary), str(home / ".ray"), "/dev/shm")):
            found.check(path == str(home / ".ray") or "/sem.mp-" in path, f"{path} ({mode}) is readable")
        if readable and path.startswith(str(project.storage)):
            found.note("of the experiment readable")
    token = (home / ".ray" / "auth_token").read_text()
    for each in family:
        found.check(token not in " ".join(_words(each)), f"the token is in the words of {each.name()}")


def _check_sockets(family: list[psutil.Process], found: Findings) -> None:
    """Check that no socket of the search has a name without a file, and that none of a file lets others in."""
    inodes = set()
    for each in family:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{each.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if name := re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink())):
                        inodes.add(name[1])
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) < 8 or fields[6] not in inodes:
            continue
        found.n += 1
        name = fields[7]
        found.check(not name.startswith("@"), f"{name} has no file that keeps others out")
        if not name.startswith("@"):
            found.check(as_nobody(lambda name=name: _is_refused(name)), f"{name} lets others in")


def _is_refused(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(name)
        except OSError:
            return True
    return False


def _check_ports(family: list[psutil.Process], found: Findings) -> None:
    """Check that each port is on the loopback address, and what it answers without the token."""
    ports: dict[int, str] = {}
    for each in family:
        with contextlib.suppress(psutil.Error):
            for connection in each.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    address = connection.laddr.ip.removeprefix("::ffff:")
                    found.check(address == "127.0.0.1", f"{each.name()} listens on {address}")
                    ports[connection.laddr.port] = each.name()
    for port, name in ports.items():
        found.n += 1
        answer = as_nobody(lambda port=port: _ask(port))
        found.note(f"{name}: {answer}")
    for variables in WITHOUT_TOKEN:
        said = subprocess.run(
            [sys.executable, "-c", CONNECT, _find_option(family, "--gcs-address=")],
            env={"HOME": str(PLACE), "PATH": os.environ["PATH"], **variables},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_S,
        )
        found.check(said.returncode != 0 and "connected" not in said.stdout, f"the GCS let one in: {said.stdout}")
        last = said.stderr.strip().splitlines()[-1:] or [""]
        found.note(f"GCS with {variables['RAY_AUTH_MODE']} token: {last[0][:90]}")


def _ask(port: int) -> str:
    """Return what a port answers to a browser."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/jobs/", timeout=5) as answer:
            return f"{answer.status} with {answer.headers.get_content_type()}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except Exception as error:
        return f"no HTTP ({type(error).__name__})"


@contextlib.contextmanager
def _planted_links(project: Project, found: Findings) -> Iterator[None]:
    """Plant links and folders as another user, with names that a search may look for; nothing is to follow them."""
    precious = project.folder / "precious"
    precious.write_text("mine")
    precious.chmod(0o600)
    planted = PLACE / f"promotune.ray-{os.getpid()}"
    names = [f"promotune.ray-l{os.getpid()}", f"promotune-{os.getpid()}"]

    def plant() -> None:
        planted.mkdir()
        for name in (".promotune", ".lock", "lock"):
            (planted / name).symlink_to(precious)
        for name in names:
            (PLACE / name).symlink_to(project.folder)

    def remove() -> None:
        for path in (*planted.iterdir(), *(PLACE / name for name in names)):
            path.unlink()
        planted.rmdir()

    as_nobody(plant)
    before = ended_trials(project.storage / "s")
    try:
        yield
        time.sleep(1)
        found.n += 1
        found.check(precious.read_text() == "mine", "a file was overwritten through a link")
        found.check(before.items() <= ended_trials(project.storage / "s").items(), "trials went with a link")
        found.check((project.folder / "p" / "line.py").is_file(), "a folder was removed through a link")
        found.check(len(list(planted.iterdir())) == 3, "another user's folder was changed")
    finally:
        as_nobody(remove)
