"""Where experiments lie: a folder, or a URL. What lies at a URL is worked on in a folder of this machine.

The folder is a copy under the user's cache; which URL it is of stands in a file there, so that a path alone tells, in
any process. Nothing here touches the network.
"""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from tune.errors import OptionError

URL = re.compile(r"[a-z][a-z0-9+.-]*://")
MARKER = ".url"
HASH_LENGTH = 10
LONGEST_NAME = 60
"""Characters of a copy's folder that tell people which it is."""
KNOWN = "Write s3://bucket/folder, gs://bucket/folder, or the path of a folder."
UNSAFE = re.compile(r"[^\w.-]")


STORAGE_VARIABLE = "PROMOTUNE_STORAGE"
USUAL_STORAGE = "~/ray_results"


def default_storage() -> Path:
    """Return the folder of all experiments where none is given: PROMOTUNE_STORAGE, else ``~/ray_results``."""
    named = os.environ.get(STORAGE_VARIABLE, "").strip()
    try:
        return local_folder_of(named or USUAL_STORAGE)
    except OptionError as error:
        raise OptionError(STORAGE_VARIABLE if named else error.where, error.what, error.hint) from error


def is_url(text: str | Path) -> bool:
    """Tell whether a text is a URL, and no path."""
    return isinstance(text, str) and URL.match(text) is not None


def local_folder_of(text: str | Path) -> Path:
    """Return the folder that a path or a URL means, absolute; of a URL that where it is worked on."""
    if not is_url(text):
        if isinstance(text, str) and "://" in text:  # letters of another case, one URL within another
            raise OptionError("--storage", f"no URL that can be used, got {text!r}", KNOWN)
        return absolute_path(text, "--storage")
    url = check_url(str(text))
    if url.startswith("file://"):
        return absolute_path(url.removeprefix("file://").removeprefix("localhost"), "--storage")
    name = UNSAFE.sub("_", url.rpartition("/")[2])[:LONGEST_NAME]
    folder = _copies_folder() / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:HASH_LENGTH]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(f"{url}\n", encoding="utf-8")
    return folder


def absolute_path(text: str | Path, asked: str) -> Path:
    """Return a path from the root; raise OptionError, naming what ``asked`` for it, where ``~`` names nobody."""
    if "\0" in str(text):
        raise OptionError(asked, f"a path has no character of value 0, got {str(text)!r}", "Delete it.")
    try:
        path = Path(text).expanduser().absolute()
        path = Path(os.path.realpath(path)) if ".." in path.parts else path  # what lies below is told by its path
    except RuntimeError as error:
        what = f"no user has this name, or the user has no home folder, got {str(text)!r}"
        raise OptionError(asked, what, "Write the path from the root.") from error
    check_utf8(str(path), asked)
    return path


def check_utf8(text: str, asked: str | None) -> None:
    """Raise OptionError for a path, or another word, that is not UTF-8: YAML and JSON hold none, and Ray takes none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"this is not UTF-8, got {text!r}"
        raise OptionError(asked, what, "Give the file or the folder a name in UTF-8.") from error


def url_of(path: Path) -> str | None:
    """Return the URL of what a path of this machine is a copy of; None where it is no copy."""
    try:
        cache = _copies_folder()
    except OptionError:  # nobody knows of a place for copies: there are none
        return None
    if not path.is_relative_to(cache) or path == cache:
        return None
    copy, *rest = path.relative_to(cache).parts
    try:
        root = (cache / copy / MARKER).read_text(encoding="utf-8").removesuffix("\n")
    except OSError:
        return None
    return "/".join([root, *rest])


def check_url(url: str) -> str:
    """Return a URL without what it does not need; raise OptionError where it has no bucket, or holds a secret."""
    if not url.isprintable():
        raise OptionError("--storage", f"no URL that can be used, it holds control characters, got {url!r}", KNOWN)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise OptionError("--storage", f"no URL that can be used, {error}, got {url!r}", KNOWN) from error
    if parts.password is not None or parts.query:
        what = f"a URL with a password or a query is refused: it would be written down, got {parts.scheme}://..."
        raise OptionError("--storage", what, "Give credentials by the environment or the provider's own files.")
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        what = f"the files of another machine cannot be reached, got {url!r}"
        raise OptionError("--storage", what, "Write file:///folder, or the path of a folder.")
    if not (parts.netloc or parts.scheme == "file"):
        raise OptionError("--storage", f"the URL names no bucket, got {url!r}", "Write s3://bucket/folder.")
    return url.rstrip("/")


def _copies_folder() -> Path:
    """Return where the copies lie: the user's cache, as the XDG base directories have it."""
    return absolute_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "XDG_CACHE_HOME") / "promotune"
