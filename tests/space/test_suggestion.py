"""A suggested range is what people take for such a constant, and contains the value that the source holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.space.dimensions import Choice, describe_dimension, is_in_dimension
from tune.space.suggest_range import suggest_range

SUGGESTIONS = [
    ("LR", 1e-3, "loguniform 0.0001 to 0.01"),
    ("LR", 0.003, "loguniform 0.0003 to 0.03"),
    ("Adam.lr@42", 1, "loguniform 0.1 to 10"),
    ("--learning-rate", 0.1, "loguniform 0.01 to 1"),
    ("learningRate", 0.1, "loguniform 0.01 to 1"),
    ("CFG['optim']['weight_decay']", 0.0, "loguniform 1e-06 to 0.01"),
    ("WD", 5e-4, "loguniform 5e-05 to 0.005"),
    ("L2", 1e-4, "loguniform 1e-05 to 0.001"),
    ("channel2", 0.5, "uniform 0.25 to 1"),
    ("LR_PATIENCE", 5, "randint 2 to 10"),
    ("lr_gamma", 0.5, "uniform 0.25 to 1"),
    ("BATCH_SIZE", 64, "choice 16, 32, 64, 128"),
    ("DataLoader.batch_size", 1, "choice 1, 2, 4"),
    ("BATCH_SIZE", 9, "lograndint 2 to 18"),
    ("HIDDEN2", 64, "choice 16, 32, 64, 128, 256"),
    ("BATCH_SIZE", 200, "choice 50, 100, 200, 400"),
    ("n_embd", 300, "choice 75, 150, 300, 600, 1200"),
    ("d_model", 768, "choice 192, 384, 768, 1536, 3072"),
    ("hidden_size", 50, "lograndint 12 to 200"),
    ("T_max", 100, "lograndint 25 to 400"),
    ("n_head", 12, "choice 3, 6, 12, 24"),
    ("nhead", 8, "choice 2, 4, 8, 16"),
    ("num_heads", 6, "choice 3, 6, 12"),
    ("num_heads", 1, "choice 1, 2, 4"),
    ("num_layers", 8, "randint 4 to 16"),
    ("num_hidden_layers", 24, "randint 12 to 48"),
    ("depth", 1, "randint 1 to 4"),
    ("hidden_layers", 128, "choice 32, 64, 128, 256, 512"),
    ("layer1_size", 8, "choice 2, 4, 8, 16, 32"),
    ("DROPOUT", 0.2, "uniform 0 to 0.5"),
    ("DROPOUT", 0, "uniform 0 to 0.5"),
    ("DROPOUT", 0.5, "uniform 0 to 0.7"),
    ("drop", 1.0, "uniform 0 to 1"),
    ("Dropout.p", 0.8, "uniform 0 to 0.95"),
    ("keep_prob", 0.9, "uniform 0.3 to 1"),
    ("keep_prob", 1, "uniform 0.3 to 1"),
    ("keep", 0, "randint 0 to 4"),
    ("p", 1, "randint 1 to 4"),
    ("MOMENTUM", 0.9, "uniform 0.8 to 0.99"),
    ("MOMENTUM", 0.99, "uniform 0.8 to 0.999"),
    ("momentum", 0.1, "uniform 0 to 0.99"),
    ("beta", 0.9, "uniform 0.8 to 0.99"),
    ("beta", 0.1, "loguniform 0.01 to 1"),
    ("beta", 4.0, "loguniform 0.4 to 40"),
    ("kl_beta", 1, "loguniform 0.1 to 10"),
    ("lambda_l1", 100, "lograndint 10 to 1000"),
    ("BETA", 2, "lograndint 1 to 20"),
    ("beta_warmup_epochs", 10, "randint 5 to 20"),
    ("num_lambda", 3, "randint 1 to 6"),
    ("beta1", 0.4, "uniform 0 to 0.99"),
    ("ema_beta", 0.3, "uniform 0 to 0.99"),
    ("beta1", 0.8, "uniform 0.5 to 0.99"),
    ("ema_decay", 0.9999, "uniform 0.9 to 0.99999"),
    ("GAMMA", 0.99, "uniform 0.9 to 0.999"),
    ("scheduler_gamma", 0.95, "uniform 0.8 to 0.995"),
    ("lr_decay", 0.9, "uniform 0.8 to 0.99"),
    ("ALPHA", 0.9, "uniform 0.45 to 1"),
    ("ALPHA", 0.98, "uniform 0.8 to 0.998"),
    ("clip", 0.95, "uniform 0.475 to 1.9"),
    ("label_smoothing", 0.0, "uniform 0 to 0.3"),
    ("label_smoothing", 0, "uniform 0 to 0.3"),
    ("label_smoothing", 0.1, "uniform 0 to 0.3"),
    ("smoothing", 1e-6, "loguniform 1e-07 to 1e-05"),
    ("warmup_ratio", 0.1, "uniform 0 to 0.3"),
    ("warmup_ratio", 0.5, "uniform 0.25 to 1"),
    ("warmup_steps", 0, "randint 0 to 1000"),
    ("warmup_epochs", 0, "randint 0 to 4"),
    ("beta2", 0.999, "uniform 0.9 to 0.9999"),
    ("MAX_EPOCHS", 10, "randint 5 to 20"),
    ("n_layers", 3, "randint 1 to 6"),
    ("num_workers", 0, "randint 0 to 4"),
    ("SEED", 0, "randint 0 to 99"),
    ("OFFSET", -3, "randint -6 to 0"),
    ("VAL_SHARE", 0.25, "uniform 0.125 to 0.5"),
    ("eps", 1e-8, "loguniform 1e-09 to 1e-07"),
    ("temperature", 2.0, "loguniform 0.2 to 20"),
    ("GRAD_CLIP", 1.0, "uniform 0.5 to 2"),
    ("CFG['optim']['clip_norm']", 0.7, "uniform 0.35 to 1.4"),
    ("--noise_std", 1.0, "uniform 0.5 to 2"),
    ("SIGMA", 0.8, "uniform 0.4 to 1.6"),
    ("vf_coef", 1.0, "loguniform 0.1 to 10"),
    ("mrd_loss_coeff", 0.1, "loguniform 0.01 to 1"),
    ("codebook_weight", 1.0, "loguniform 0.1 to 10"),
    ("LAMBDA_CYCLE", 0.5, "loguniform 0.05 to 5"),
    ("weight_noise_std", 1.0, "uniform 0.5 to 2"),
    ("ADAMW_DECAY", 0.1, "loguniform 0.01 to 1"),
    ("adam_beta2_decay", 0.5, "uniform 0 to 0.99"),
    ("noise_prob", 0.2, "uniform 0 to 0.5"),
    ("bias", -1.5, "uniform -3 to 0"),
    ("FLAG", True, "choice False, True"),
    ("OPT", "sgd", "choice adam, adamw, sgd, rmsprop"),
    ("OPT", "Adam", "choice Adam, AdamW, SGD, RMSprop"),
]


@pytest.mark.parametrize(("name", "value", "described"), SUGGESTIONS)
def test_a_constant_when_its_name_says_what_it_is_then_its_range_fits_that(name, value, described):
    dimension = suggest_range(name, value).dimension

    assert dimension is not None
    assert describe_dimension(dimension) == described


@pytest.mark.parametrize("value", [None, "relu", (0.9, 0.999), [64, 64], {}, 10**20, float("inf"), float("nan"), 1e305])
def test_a_value_that_tells_no_range_is_left_to_the_user(value):
    suggestion = suggest_range("X", value)

    assert suggestion.dimension is None
    assert suggestion.remark


NAMES = st.sampled_from([name for name, _, _ in SUGGESTIONS]) | st.text(max_size=8)


@given(name=NAMES, value=st.one_of(st.integers(), st.floats(), st.booleans()))
def test_any_number_when_it_gets_a_range_then_lies_in_it(name, value):
    dimension = suggest_range(name, value).dimension

    if dimension is None:
        return
    assert is_in_dimension(dimension, value) or (value == 0 and dimension.log)
    assert not isinstance(dimension, Choice) or len(dimension.options) > 1


REMARKS = [
    ("n_layers", 1, "up to four times"),
    ("n_layers", 2, "half to twice"),
    ("n_critics", 1, "up to four times"),
    ("n_critics", 2, "up to twice"),
]


@pytest.mark.parametrize(("name", "value", "remark"), REMARKS)
def test_the_remark_on_a_count_says_how_far_its_range_goes(name, value, remark):
    assert suggest_range(name, value).remark == remark
