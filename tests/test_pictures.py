"""The pictures of the documentation show the program as it is."""

import json
import re

from PIL import Image

from tests.documentation import PAGES
from tests.pictures import AGAIN, FOLDER, RECORD
from tests.pictures.shown import digests

MOST_BYTES = 200_000


def test_the_pictures_are_of_the_program_as_it_is():
    recorded, now = json.loads(RECORD.read_text(encoding="utf-8")), digests()
    stale = [name for name in now if recorded.get(name) != now[name]]

    assert not stale, f"{', '.join(stale)}: what is shown looks otherwise by now. Make them anew: {AGAIN}"


def test_the_pages_show_every_picture_and_say_what_it_is_of():
    shown = {}
    for page in PAGES.values():
        for words, name in re.findall(r"!\[([^]]+)\]\((?:\.\./|docs/)?pictures/([\w.]+)\)", page):
            assert shown.setdefault(words, name) == name

    assert sorted(shown.values()) == sorted(path.name for path in FOLDER.glob("*.png")) == sorted(digests())
    assert all(len(words) > 20 for words in shown)
    for name in shown.values():
        with Image.open(FOLDER / name) as image:
            assert 800 < image.width < 2000
        assert (FOLDER / name).stat().st_size < MOST_BYTES
