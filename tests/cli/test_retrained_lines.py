"""What `retrain` says of a run."""

from types import SimpleNamespace

from tune.cli.terminal.retrained_lines import describe_origin


def test_epochs_without_a_value_were_trained_too():
    found = SimpleNamespace(n_fits=None, curve={2: 0.5, 4: 0.25})  # check_val_every_n_epoch=2

    assert describe_origin(found, 4) == "in epoch 4 of 4"
