"""What tests of the systems need."""

import pytest

from lit.panodepth.rooms.make import Order, make_rooms


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Keep what the systems cache in a folder of this session's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def small_rooms(tmp_path_factory):
    """Return a data set of twelve small rooms: eight to train on, four to validate."""
    folder = tmp_path_factory.mktemp("small") / "rooms"
    make_rooms(folder, Order(n_rooms=12, height=16))
    return folder
