"""One thing in the place of another for a while: where a library has no word for what a search needs of it."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def patch_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give a module or a class another attribute of that name, and in the end its own again."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
