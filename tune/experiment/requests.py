"""What other processes ask of a search's driver: files in a folder of the experiment, and the driver's answers.

A request is one file, ``<id>.json``, written aside and renamed, so that it is there whole or not at all. The driver
moves it to ``claimed`` before it reads it, so that of a driver that takes it and a client that takes it back one alone
succeeds. It answers by ``answers/<id>.json``, and then deletes the request. A file that is no request of ours goes to
``refused``. Ids begin with the time, so that their order is the order of the requests.
"""

import contextlib
import getpass
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tune.errors import ExperimentError, PromotuneError
from tune.paths import ExperimentPaths, atomic_write, display_path, read_json
from tune.space.dimensions import is_number

FORMAT = 1
"""Of requests and answers."""
MOST_BYTES = 64 * 1024
"""A larger file is no request."""
N_REFUSED = 100
"""Files that are kept because they were no requests; the oldest go first."""
N_ANSWERS = 2000
"""Answers that are kept where nobody fetched them; the oldest go first."""
POLL_S = 0.05
"""How often a client looks for its answer."""
ANSWER_S = 60.0
"""How long a client waits for it: a driver that starts Ray looks for no requests."""
UNANSWERED = "Nothing was changed."
"""What a client says who has waited in vain."""
LONGEST_USER = 256
"""Characters of a user's name."""
MODE = 0o700
"""Of the folder: nobody else may write there."""
ID = re.compile(r"[0-9]{20}-[0-9a-f]{8}")

Verb = Literal["propose", "stop", "pause", "resume", "set"]
VERBS: tuple[Verb, ...] = get_args(Verb)
LASTING: frozenset[Verb] = frozenset({"propose", "set"})
"""What a later driver still does; the others ask for something of the one that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringRequest:
    """What somebody asks of a driver."""

    id: str
    """Unique; it begins with the time in nanoseconds."""
    verb: Verb
    user: str
    """The name that the sender gave; the owner of the file decides who it is."""
    time: float
    """When it was sent, in seconds since the epoch."""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return JSON; raise ExperimentError where it is too long, or holds what JSON or UTF-8 has no form for."""
        told = {"format": FORMAT, "id": self.id, "verb": self.verb, "user": self.user, "time": self.time}
        try:
            raw = json.dumps({**told, "arguments": dict(self.arguments)}, ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            what = f"a request holds text, numbers and lists: {error}"
            raise ExperimentError(None, what, "Give Python's own types: `int(x)` for a number of NumPy.") from error
        if len(raw) > MOST_BYTES:
            what = f"a request has {MOST_BYTES} bytes at most, got {len(raw)}"
            raise ExperimentError(None, what, "Write a shorter --why.")
        return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswer:
    """What the driver says to a request."""

    taken: bool
    what: str
    """A sentence: what happens now, or why nothing does."""
    hint: str | None = None
    trial: int | None = None
    """The number of the trial that it is about."""

    @property
    def is_missing(self) -> bool:
        """Whether the driver said nothing: the request was taken back."""
        return self.hint == UNANSWERED

    def encode(self, request: str) -> bytes:
        """Return JSON; ``request``: the id of the one that it answers."""
        told = {"format": FORMAT, "id": request, "taken": self.taken, "what": self.what, "hint": self.hint}
        return json.dumps({**told, "trial": self.trial}).encode()

    @classmethod
    def of_error(cls, error: PromotuneError) -> "RequestAnswer":
        """Return a refusal."""
        what = f"{error.where}: {error.what}" if error.where else error.what
        return cls(taken=False, what=what, hint=error.hint)


def create_request(verb: Verb, arguments: Mapping[str, Any] | None = None) -> SteeringRequest:
    """Return a request of this user, made now."""
    now = time.time_ns()
    return SteeringRequest(
        id=f"{now:020d}-{secrets.token_hex(4)}",
        verb=verb,
        user=_read_user_name(),
        time=now / 1e9,
        arguments=dict(arguments or {}),
    )


def _read_user_name() -> str:
    try:
        name = clean_line(getpass.getuser())
    except (KeyError, OSError):  # a container knows no name for its user
        name = ""
    return name[:LONGEST_USER] or str(os.getuid())


def clean_line(text: str) -> str:
    """Return somebody's text on one line, without letters that act on a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def decode_request(raw: bytes, name: str) -> SteeringRequest:
    """Return the request in a file of this name, without its ending; raise ValueError where it is none of ours."""
    found = read_json(raw)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"a request has format {FORMAT}")
    request, verb, user, at = (found.get(key) for key in ("id", "verb", "user", "time"))
    arguments = found.get("arguments")
    if request != name or not isinstance(request, str) or ID.fullmatch(request) is None:
        raise ValueError(f"a request has the id of its file, got {str(request)[:50]!r}")
    if verb not in VERBS:
        raise ValueError(f"a request asks for {', '.join(VERBS)}, got {str(verb)[:50]!r}")
    if not isinstance(user, str) or len(user) > LONGEST_USER or not isinstance(arguments, dict):
        raise ValueError("a request has a user and arguments")
    if not is_number(at):
        raise ValueError("a request has a time")
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # what is no Unicode cannot be written into the ledger
    return SteeringRequest(id=request, verb=verb, user=clean_line(user), time=float(at), arguments=arguments)


def decode_answer(raw: bytes) -> RequestAnswer:
    """Return the answer in a file; raise ValueError where it is none of ours."""
    found = read_json(raw)
    if not isinstance(found, dict) or not isinstance(found.get("what"), str):
        raise ValueError("no answer of a driver")
    hint, trial = found.get("hint"), found.get("trial")
    return RequestAnswer(
        taken=found.get("taken") is True,
        what=found["what"],
        hint=hint if isinstance(hint, str) else None,
        trial=trial if isinstance(trial, int) else None,
    )


FOLDERS = frozenset({"answers", "claimed", "refused"})
"""In the folder of requests."""


def _list_names(folder: Path) -> list[str]:
    """Return what is in a folder; nothing where it cannot be read."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone
    except OSError:
        return []


class RequestFolder:
    """The folder of one experiment."""

    def __init__(self, paths: ExperimentPaths) -> None:
        self._paths = paths
        self.folder = paths.requests
        self.answers = paths.requests / "answers"
        self.claimed = paths.requests / "claimed"
        self.refused = paths.requests / "refused"

    def make_folder(self) -> None:
        """Make it where it is missing; raise ExperimentError where it is somebody else's, or others may write there."""
        for folder in (self.folder, self.answers, self.claimed):
            _make_own_folder(folder)

    def send_request(self, request: SteeringRequest) -> None:
        """Write a request; raise ExperimentError where that cannot be done."""
        raw = request.encode()
        try:
            self.make_folder()
            with atomic_write(self.folder / f"{request.id}.json") as aside:
                aside.touch(mode=0o600)
                aside.write_bytes(raw)
        except OSError as error:
            hint = "Only the user who started a search can steer it, and only where its folder can be written."
            raise ExperimentError(display_path(self.folder), f"no request can be written: {error}", hint) from error

    def fetch_answer(self, request: str) -> RequestAnswer | None:
        """Return the answer to a request, and delete it; None where there is none yet."""
        path = self.answers / f"{request}.json"
        try:
            raw = path.read_bytes()
            path.unlink()
        except OSError:
            return None
        try:
            return decode_answer(raw)
        except ValueError:
            return None

    def has_request(self, request: str) -> bool:
        """Tell whether a request waits that no driver has taken."""
        return (self.folder / f"{request}.json").exists()

    def withdraw_request(self, request: str) -> bool:
        """Take a request back; tell whether no driver had taken it."""
        try:
            (self.folder / f"{request}.json").unlink()
        except OSError:
            return False
        return True

    def list_requests(self) -> list[str]:
        """Return the names of the files that wait, the oldest first, those that an earlier driver took among them.

        What is being written is not among them.
        """
        names = {name for folder in (self.folder, self.claimed) for name in _list_names(folder)}
        return sorted(name for name in names - FOLDERS if not name.startswith("."))

    def peek_requests(self) -> list[SteeringRequest]:
        """Return the requests that wait, and leave them there."""
        found = map(self.peek_request, self.list_requests())
        return [request for request in found if request is not None]

    def peek_request(self, name: str) -> SteeringRequest | None:
        """Return the request in a file, and leave it there; None where it is gone, or is none."""
        path = self.claimed / name
        try:
            raw = self._read_own_file(path if path.exists() else self.folder / name)
            return decode_request(raw, name.removesuffix(".json"))
        except (ValueError, RecursionError, OSError):
            return None

    def read_request(self, name: str) -> SteeringRequest | None:
        """Take the request in a file; None where it is gone, or is none: then it is moved aside, and answered."""
        stem = name.removesuffix(".json")
        path = self.folder / name
        try:
            if ID.fullmatch(stem) is not None:
                path = self._claim_request(name)
            return decode_request(self._read_own_file(path), stem)
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError, OSError) as error:
            self._refuse_file(path, str(error))
            return None

    def _claim_request(self, name: str) -> Path:
        """Take a request: from now on its sender cannot take it back. Return where it is."""
        claimed = self.claimed / name
        with contextlib.suppress(FileNotFoundError):  # an earlier driver took it, or its sender took it back
            (self.folder / name).rename(claimed)
        return claimed

    def _read_own_file(self, path: Path) -> bytes:
        """Return what a file holds; raise ValueError where it is another user's, too large, or no file."""
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("a request is a regular file")
            if found.st_uid != os.getuid():
                raise ValueError(f"it is of another user, number {found.st_uid}")
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ValueError(f"a request has {MOST_BYTES} bytes at most")
        return raw

    def _refuse_file(self, path: Path, why: str) -> None:
        """Move a file aside that is no request, and say why to whoever sent it."""
        stem = path.name.removesuffix(".json")
        with contextlib.suppress(OSError, ExperimentError):
            _make_own_folder(self.refused)
            path.rename(self.refused / path.name)
            self._delete_oldest(self.refused, N_REFUSED)
        if ID.fullmatch(stem) is not None:
            self._write_answer(stem, RequestAnswer(taken=False, what=f"this is no request of ours: {why}"))

    def answer_request(self, request: str, answer: RequestAnswer) -> None:
        """Write the answer, then delete the request: a driver that is killed in between answers it again."""
        self._write_answer(request, answer)
        for folder in (self.folder, self.claimed):
            with contextlib.suppress(OSError):
                (folder / f"{request}.json").unlink()

    def keep_request(self, request: str, answer: RequestAnswer) -> None:
        """Write an answer, and leave the request for a later driver."""
        self._write_answer(request, answer)

    def _write_answer(self, request: str, answer: RequestAnswer) -> None:
        with contextlib.suppress(OSError), atomic_write(self.answers / f"{request}.json") as aside:
            aside.write_bytes(answer.encode(request))

    def delete_old_answers(self) -> None:
        """Delete what nobody fetched."""
        self._delete_oldest(self.answers, N_ANSWERS)

    def _delete_oldest(self, folder: Path, n_kept: int) -> None:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone
        for name in names[: max(0, len(names) - n_kept)]:
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def _make_own_folder(folder: Path) -> None:
    """Make a folder where it is missing; raise ExperimentError unless it is this user's then. Let nobody else in."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=MODE)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        what = "requests lie in a folder of the user who searches, and this is none"
        raise ExperimentError(display_path(folder), what, "Only the user who started a search can steer it.")
    if stat.S_IMODE(found.st_mode) != MODE:
        folder.chmod(MODE)
