"""Checkpoints of a trial: written, described, loaded; and the event files that go with them."""
