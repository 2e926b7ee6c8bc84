"""A folder at a URL, through fsspec: whole files go there and come from there."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tune.errors import OptionError, StorageError
from tune.paths import atomic_write
from tune.storage_url import KNOWN

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}
"""What fsspec needs for a protocol."""

MODIFIED = ("LastModified", "last_modified", "updated", "mtime")
"""What file systems call the time of a file's last change."""

NO_BUCKET = "bucket does not exist"
"""What S3 says; a file that is not there is told by its path alone."""

QUERY = re.compile(r"\?\S*")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at a URL."""

    size: int
    """Bytes."""
    modified: float
    """Seconds since the epoch, by the store's clock; 0 where it does not say."""


class RemoteFolder:
    """One folder. Raises StorageError where the store does not answer, or not as it should."""

    def __init__(self, url: str) -> None:
        self.url = url
        protocol = url.partition("://")[0]
        try:
            from fsspec.core import url_to_fs  # here: what works on folders needs none of it

            self._fs, self._root = url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            package = PACKAGES.get(protocol)
            hint = f"pip install {package}" if package else str(error)
            raise OptionError("--storage", f"{protocol}:// needs a package that is not installed", hint) from error
        except ValueError as error:
            raise OptionError("--storage", f"no such protocol, got {protocol}://", KNOWN) from error
        except OSError as error:  # some connect at once
            raise _create_storage_error(error, url, "read") from error
        except Exception as error:  # those that need more than a URL say so in ways of their own
            what = f"{protocol}:// needs more than a URL ({type(error).__name__}: {error})"
            raise OptionError("--storage", what, KNOWN) from error

    def list_files(self, below: str = "") -> dict[str, RemoteFile]:
        """Return all files, by their names relative to ``below``; hidden ones are ours, and not among them."""
        root = self._full_path(below)
        found = self._call_store(lambda: self._fs.find(root, detail=True), "read", missing={})
        entries = {}
        for path, info in found.items():
            name = path.removeprefix(root).lstrip("/")
            if name and not any(part.startswith(".") for part in name.split("/")):
                when = next((info[key] for key in MODIFIED if info.get(key)), 0.0)
                if isinstance(when, str):
                    from datetime import datetime

                    when = datetime.fromisoformat(when)
                entries[name] = RemoteFile(
                    int(info.get("size") or 0), float(when.timestamp() if hasattr(when, "timestamp") else when)
                )
        return entries

    def list_folders(self) -> list[str]:
        """Return the names of the folders."""
        found = self._call_store(lambda: self._fs.ls(self._root, detail=True), "read", missing=[])
        return [each["name"].rstrip("/").rpartition("/")[2] for each in found if each["type"] == "directory"]

    def has_file(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return bool(self._call_store(lambda: self._fs.exists(self._full_path(name)), "read"))

    def read_file(self, name: str) -> bytes | None:
        """Return a file; None where there is none."""
        data: bytes | None = self._call_store(lambda: self._fs.cat_file(self._full_path(name)), "read", missing=None)
        return data

    def copy_from_url(self, names: Mapping[str, Path]) -> None:
        """Bring files; each takes its place when it is whole."""
        for name, path in names.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as aside:
                self._call_store(partial(self._fs.get_file, self._full_path(name), str(aside)), "read")

    def copy_to_url(self, path: Path, name: str) -> None:
        """Carry a file there as it is now; raise FileNotFoundError where it is gone."""
        try:
            self._call_store(lambda: self._fs.put_file(str(path), self._full_path(name)), "written")
        except StorageError:
            path.stat()
            raise

    def write_file(self, name: str, data: bytes) -> None:
        """Write a file."""
        self._call_store(lambda: self._fs.pipe_file(self._full_path(name), data), "written")

    def create_file(self, name: str, data: bytes) -> bool:
        """Write a file that was not there; return False where it was. Not all stores can tell when two try at once."""
        try:
            self._call_store(
                lambda: self._fs.pipe_file(self._full_path(name), data, mode="create"), "written", but=FileExistsError
            )
        except FileExistsError:
            return False
        return True

    def delete_files(self, names: Iterable[str]) -> None:
        """Delete files; one that is gone is none."""
        for name in names:
            self._call_store(partial(self._fs.rm_file, self._full_path(name)), "written", missing=None)

    def delete_folder(self) -> None:
        """Delete all that lies here, hidden files and folders that some stores have, too."""
        self._call_store(lambda: self._fs.rm(self._root, recursive=True), "written", missing=None)

    def _full_path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else str(self._root)

    def _call_store(self, act: Callable[[], Any], what: str, *, but: Any = (), **fallback: Any) -> Any:
        """Return what ``act`` does; ``missing`` where there is no such file, if that is given."""
        try:
            return act()
        except but:
            raise
        except Exception as error:  # each file system has errors of its own, and not all are OSErrors
            if "missing" in fallback and isinstance(error, FileNotFoundError) and NO_BUCKET not in str(error):
                return fallback["missing"]
            raise _create_storage_error(error, self.url, what) from error


def _create_storage_error(error: Exception, url: str, what: str) -> StorageError:
    """Return an error as people can use it; a query may hold a signature."""
    text = QUERY.sub("?...", str(error).partition("\n")[0])
    if isinstance(error, FileNotFoundError):
        return StorageError(url, f"it cannot be {what}: {text}", "Make the bucket, or give another --storage.")
    if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        hint = "Credentials come from the environment or the provider's own files."
        return StorageError(url, f"it may not be {what}: {text or 'no credentials'}", hint)
    if isinstance(error, NotImplementedError):
        return StorageError(url, f"it cannot be {what}: this kind of store has no means for it", KNOWN)
    return StorageError(
        url,
        f"it cannot be {what}: {type(error).__name__}: {text}",
        "Check the network and the URL, then give the same command again.",
    )
