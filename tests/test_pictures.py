"""The README's pictures show the program as it is."""

import json
import re

from PIL import Image

from tests.pictures import AGAIN, FOLDER, RECORD, ROOT
from tests.pictures.shown import digests

MOST_BYTES = 200_000
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_pictures_are_of_the_program_as_it_is():
    recorded, now = json.loads(RECORD.read_text(encoding="utf-8")), digests()
    stale = [name for name in now if recorded.get(name) != now[name]]

    assert not stale, f"{', '.join(stale)}: what is shown looks otherwise by now. Make them anew: {AGAIN}"


def test_the_readme_shows_every_picture_and_says_what_it_is_of():
    shown = dict(re.findall(r"!\[([^]]+)\]\(\.github/pictures/([\w.]+)\)", README))

    assert sorted(shown.values()) == sorted(path.name for path in FOLDER.glob("*.png")) == sorted(digests())
    assert all(len(words) > 20 for words in shown)
    for name in shown.values():
        with Image.open(FOLDER / name) as image:
            assert 800 < image.width < 2000
        assert (FOLDER / name).stat().st_size < MOST_BYTES
