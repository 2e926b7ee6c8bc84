"""Train recorded configurations again, and judge them: what `retrain` and `confirm` run."""
