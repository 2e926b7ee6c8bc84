import pytest

from tune.promotion.find.signatures import parameters_of

KNOWN = [
    ("torch.nn.Dropout", 0, "p"),
    ("torch.nn.Linear", 1, "out_features"),
    ("torch.nn.modules.dropout.Dropout2d", 0, "p"),
    ("torch.nn.LSTM", 2, "num_layers"),
    ("torch.nn.functional.dropout", 1, "p"),
    ("torch.optim.Adam", 1, "lr"),
    ("torch.optim.lr_scheduler.StepLR", 1, "step_size"),
    ("torch.utils.data.DataLoader", 1, "batch_size"),
    ("pytorch_lightning.callbacks.EarlyStopping", 2, "patience"),
    ("pytorch_lightning.seed_everything", 0, "seed"),
]


@pytest.mark.parametrize(("path", "position", "name"), KNOWN)
def test_a_parameter_of_an_installed_class_or_function_is_read_from_its_source(path, position, name):
    names = parameters_of(path)
    assert names is not None
    assert names[position] == name


@pytest.mark.parametrize("path", ["numpy.zeros", "torch.zeros", "torch", "torch.nn.NoSuchThing", "no_such_package.f"])
def test_what_has_no_readable_definition_is_unknown(path):
    assert parameters_of(path) is None
