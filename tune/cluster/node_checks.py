"""What each node of a cluster is asked before a search: packages, storage, project."""

import contextlib
import importlib.util
import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, NodeDiedError, RayError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune.cluster.plan_cluster import count_node_slots
from tune.cluster.resources import Node, Resources
from tune.errors import ExperimentError, OptionError, PromotuneError, StartError
from tune.paths import display_path
from tune.promotion.program import Program
from tune.storage.remote_folder import PACKAGES
from tune.storage_url import url_of

PATIENCE_S = 5.0
"""A network file system may remember for some seconds that a file was not there."""
POLL_S = 0.2
TOKEN = "driver"  # noqa: S105 - the name of the file that the driver writes
Sign = tuple[int, int, int]
"""What tells a file from others of its name: its number, size and time, the same wherever it is mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQuestion:
    """What is asked of every node."""

    folder: Path
    """In the storage; the driver has written a file there."""
    token: str
    """What stands in it."""
    program: Path
    sign: Sign | None
    packages: tuple[str, ...]
    """Modules that a trial needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAnswer:
    """What a node says."""

    sees_storage: bool
    write_error: str | None
    """Why nothing can be written there; None where something was."""
    sees_project: bool
    missing: tuple[str, ...]
    """Modules that are not installed."""


def check_node(question: NodeQuestion, name: str) -> NodeAnswer:
    """Answer on a node; leaves a file of this name beside the driver's."""
    sees = _can_read_token(question.folder / TOKEN, question.token)
    missing = tuple(each for each in question.packages if not _is_installed(each))
    return NodeAnswer(
        sees_storage=sees,
        write_error=_write_token(question.folder / name, question.token) if sees else None,
        sees_project=read_file_identity(question.program) == question.sign,
        missing=missing,
    )


def read_file_identity(path: Path) -> Sign | None:
    """Return what tells the file from others; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _can_read_token(path: Path, token: str) -> bool:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if path.read_text(encoding="utf-8") == token:
                return True
        except OSError:
            pass
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


def _write_token(path: Path, text: str) -> str | None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return error.strerror
    return None


BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""Ray's launcher writes it to the head node, as JSON; where a cluster was started otherwise there is none."""


def read_startable_nodes(path: Path = BOOTSTRAP) -> tuple[Node, ...]:
    """Return all that there may be, the head too; runs on the head node."""
    try:
        config = json.loads(path.expanduser().read_text(encoding="utf-8"))
        kinds: Mapping[str, Mapping[str, Any]] = config["available_node_types"]
        head, most = config["head_node_type"], int(config.get("max_workers") or 0)
        found = [
            _build_node(name, kind, min(most, int(kind.get("max_workers") or 0)) + (name == head))
            for name, kind in kinds.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(node for node in found if node.count)


def _build_node(name: str, kind: Mapping[str, Any], count: int) -> Node:
    resources = kind.get("resources") or {}
    cpus, gpus = (float(resources.get(each) or 0) for each in ("CPU", "GPU"))
    return Node(name=name, cpus=cpus, gpus=gpus, count=count)


ANSWER_S = 120.0
"""A node unpacks what has come, and starts a process that imports it."""
HEAD = "node:__internal_head__"
NEEDED = ("torch", "pytorch_lightning", "optuna", "ruamel.yaml", "tensorboard", "fsspec", "numpy")
MOST_NAMED = 5


def list_startable_nodes() -> tuple[Node, ...]:
    """Return what the cluster's autoscaler may start; nothing where nobody says."""
    there = ray.cluster_resources()
    if HEAD not in there:
        return ()
    task = ray.remote(num_cpus=0, resources={HEAD: 0.001})(read_startable_nodes)
    with contextlib.suppress(RayError):
        return tuple(ray.get(task.remote(), timeout=ANSWER_S))
    return ()


def check_nodes(resources: Resources, program: Program, storage: Path) -> bool:
    """Ask all nodes that trials may come to, and return whether all of them see the project's own folder.

    Where none has been started yet nobody can say so.

    Raises OptionError where one does not see the storage, or lacks a package.
    """
    assert resources.reached is not None
    share = (resources.cpus_per_trial, resources.gpus_per_trial)
    nodes = [node for node in resources.reached.nodes if count_node_slots(node, *share)]
    with _prepare_question(program, storage) as question:
        answers = list(_ask_nodes(nodes, question))
        for refusal in (
            _unshared_error(answers, storage),
            _unwritable_error(answers, storage),
            _missing_package_error(answers),
        ):
            if refusal is not None:
                raise refusal
    return bool(answers) and all(answer.sees_project for _, answer in answers)


@contextlib.contextmanager
def _prepare_question(program: Program, storage: Path) -> Iterator[NodeQuestion]:
    """Write the file that the nodes look for."""
    token = secrets.token_hex(8)
    folder = storage / f".probe-{token}"
    try:
        folder.mkdir(parents=True)
        (folder / TOKEN).write_text(token, encoding="utf-8")
    except OSError as error:
        what = f"the folder cannot be written: {error.strerror}"
        raise ExperimentError(display_path(storage), what, "Give another --storage.") from error
    url = url_of(storage)
    protocol = "" if url is None else url.partition("://")[0]
    try:
        yield NodeQuestion(
            folder=folder,
            token=token,
            program=program.path,
            sign=read_file_identity(program.path),
            packages=(*NEEDED, *([PACKAGES[protocol]] if protocol in PACKAGES else [])),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ask_nodes(nodes: Sequence[Node], question: NodeQuestion) -> Iterator[tuple[Node, NodeAnswer]]:
    """Ask the nodes side by side; one that leaves the cluster meanwhile is none."""
    task = ray.remote(num_cpus=0, max_retries=0)(check_node)
    waiting = [
        (node, task.options(scheduling_strategy=_pin_to_node(node)).remote(question, node.identity)) for node in nodes
    ]
    for node, answer in waiting:
        try:
            yield node, ray.get(answer, timeout=ANSWER_S)
        except (NodeDiedError, TaskUnschedulableError):
            continue
        except GetTimeoutError as error:
            what = f"the node {node.name} gave no answer for {ANSWER_S:.0f} s"
            raise StartError(
                None, what, "Nothing was searched. Look whether it is too busy, or take it out of the cluster."
            ) from error
        except RayError as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            what = f"nothing can be run on the node {node.name}: {lines[-1].strip()}"
            raise StartError(None, what, "Nothing was searched. Its logs: /tmp/ray/session_latest/logs") from error


def _pin_to_node(node: Node) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node.identity, soft=False)


def _unshared_error(answers: Sequence[tuple[Node, NodeAnswer]], storage: Path) -> PromotuneError | None:
    blind = [node for node, answer in answers if not answer.sees_storage]
    if not blind:
        return None
    hint = "Give a folder that all nodes mount at this path (NFS, EFS, Filestore): --storage /mnt/shared/ray_results"
    where = display_path(storage)
    if url_of(storage) is not None:
        where = f"the copy of {url_of(storage)} in {storage}"
        hint = "Set XDG_CACHE_HOME to a folder that all nodes mount: trials write there, and it is carried to the URL."
    who = f"{len(blind)} of {len(answers)} nodes do not see what is written there"
    what = f"{where} is not shared: {who}: {_join_names(blind)}"
    return OptionError("--storage", what, hint)


def _unwritable_error(answers: Sequence[tuple[Node, NodeAnswer]], storage: Path) -> PromotuneError | None:
    for node, answer in answers:
        if answer.write_error is not None:
            what = f"the node {node.name} cannot write to {display_path(storage)}: {answer.write_error}"
            return OptionError("--storage", what, "Let the user that Ray runs as there write to it.")
    return None


def _missing_package_error(answers: Sequence[tuple[Node, NodeAnswer]]) -> PromotuneError | None:
    for node, answer in answers:
        if answer.missing:
            what = f"the node {node.name} lacks {', '.join(answer.missing)}"
            return OptionError("--address", what, "Install it there, in the versions of constraints.txt.")
    return None


def _join_names(nodes: Sequence[Node]) -> str:
    names = [node.name for node in nodes[:MOST_NAMED]]
    return ", ".join(names) + (", ..." if len(nodes) > MOST_NAMED else "")
