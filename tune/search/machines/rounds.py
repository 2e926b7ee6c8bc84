"""A round over the nodes of a cluster before a search: what they cannot do is told before anything is trained."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import ray
from ray.exceptions import GetTimeoutError, NodeDiedError, RayError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune.errors import ExperimentError, OptionError, PromotuneError, StartError
from tune.paths import short
from tune.places import url_of
from tune.promotion.program import Program
from tune.search.machines.nodes import Node, slots_of
from tune.search.machines.probe import TOKEN, Answer, Question, look, sign_of
from tune.search.machines.resources import Resources
from tune.search.machines.startable import startable
from tune.storage.remote import PACKAGES

ANSWER_S = 120.0
"""A node unpacks what has come, and starts a process that imports it."""
HEAD = "node:__internal_head__"
NEEDED = ("torch", "pytorch_lightning", "optuna", "ruamel.yaml", "tensorboard", "fsspec", "numpy")
MOST_NAMED = 5


def may_start() -> tuple[Node, ...]:
    """Return what the cluster's autoscaler may start; nothing where nobody says."""
    there = ray.cluster_resources()
    if HEAD not in there:
        return ()
    task = ray.remote(num_cpus=0, resources={HEAD: 0.001})(startable)
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
    nodes = [node for node in resources.reached.nodes if slots_of(node, *share)]
    with _question(program, storage) as question:
        answers = list(_asked(nodes, question))
        for refusal in (_unshared(answers, storage), _unwritable(answers, storage), _incomplete(answers)):
            if refusal is not None:
                raise refusal
    return bool(answers) and all(answer.sees_project for _, answer in answers)


@contextlib.contextmanager
def _question(program: Program, storage: Path) -> Iterator[Question]:
    """Write the file that the nodes look for."""
    token = secrets.token_hex(8)
    folder = storage / f".probe-{token}"
    try:
        folder.mkdir(parents=True)
        (folder / TOKEN).write_text(token, encoding="utf-8")
    except OSError as error:
        what = f"the folder cannot be written: {error.strerror}"
        raise ExperimentError(short(storage), what, "Give another --storage.") from error
    url = url_of(storage)
    protocol = "" if url is None else url.partition("://")[0]
    try:
        yield Question(
            folder=folder,
            token=token,
            program=program.path,
            sign=sign_of(program.path),
            packages=(*NEEDED, *([PACKAGES[protocol]] if protocol in PACKAGES else [])),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _asked(nodes: Sequence[Node], question: Question) -> Iterator[tuple[Node, Answer]]:
    """Ask the nodes side by side; one that leaves the cluster meanwhile is none."""
    task = ray.remote(num_cpus=0, max_retries=0)(look)
    waiting = [(node, task.options(scheduling_strategy=_on(node)).remote(question, node.identity)) for node in nodes]
    for node, answer in waiting:
        try:
            yield node, ray.get(answer, timeout=ANSWER_S)
        except (NodeDiedError, TaskUnschedulableError):
            continue
        except GetTimeoutError as error:
            what = f"the node {node.name} gave no answer for {ANSWER_S:.0f} s"
            raise StartError(None, what, "Is it too busy to start a process? Nothing was searched.") from error
        except RayError as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            what = f"nothing can be run on the node {node.name}: {lines[-1].strip()}"
            raise StartError(None, what, "Nothing was searched. Its logs: /tmp/ray/session_latest/logs") from error


def _on(node: Node) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node.identity, soft=False)


def _unshared(answers: Sequence[tuple[Node, Answer]], storage: Path) -> PromotuneError | None:
    blind = [node for node, answer in answers if not answer.sees_storage]
    if not blind:
        return None
    hint = "Give a folder that all nodes mount at this path (NFS, EFS, Filestore): --storage /mnt/shared/ray_results"
    where = short(storage)
    if url_of(storage) is not None:
        where = f"the copy of {url_of(storage)} in {storage}"
        hint = "Set XDG_CACHE_HOME to a folder that all nodes mount: trials write there, and it is carried to the URL."
    who = f"{len(blind)} of {len(answers)} nodes do not see what is written there"
    what = f"{where} is not shared: {who}: {_names(blind)}"
    return OptionError("--storage", what, hint)


def _unwritable(answers: Sequence[tuple[Node, Answer]], storage: Path) -> PromotuneError | None:
    for node, answer in answers:
        if answer.write_error is not None:
            what = f"the node {node.name} cannot write to {short(storage)}: {answer.write_error}"
            return OptionError("--storage", what, "Let the user that Ray runs as there write to it.")
    return None


def _incomplete(answers: Sequence[tuple[Node, Answer]]) -> PromotuneError | None:
    for node, answer in answers:
        if answer.missing:
            what = f"the node {node.name} lacks {', '.join(answer.missing)}"
            return OptionError("--address", what, "Install it there, in the versions of constraints.txt.")
    return None


def _names(nodes: Sequence[Node]) -> str:
    names = [node.name for node in nodes[:MOST_NAMED]]
    return ", ".join(names) + (", ..." if len(nodes) > MOST_NAMED else "")
