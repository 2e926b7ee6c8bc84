"""The documentation's pictures: how they are made, and how a test knows that they are of this state of the program."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
RECORD = FOLDER / "shown.json"
"""For each picture the digest of what decides its looks, when it was made."""
AGAIN = "python -m tests.pictures"
