"""The metrics of the panoramas, against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit.panodepth.metrics import Delta1, DepthError
from lit.panodepth.system import l1_loss

QUARTERS = st.integers(0, 40).map(lambda count: count / 4)  # metres; 1.25 times each is exact in float32
PIXELS = st.lists(st.tuples(QUARTERS, QUARTERS), max_size=12)  # (pred, gt) of one batch


def tensors(batch):
    pairs = torch.tensor(batch, dtype=torch.float32).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def known(batches):
    pairs = np.array([pair for batch in batches for pair in batch], dtype=np.float64).reshape(-1, 2)
    return pairs[pairs[:, 1] > 0].T


def value(metric, batches):
    for batch in batches:
        metric.update(*tensors(batch))
    return float(metric.compute())


@settings(deadline=None)
@given(st.lists(PIXELS, min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_delta1_is_the_share_of_all_known_pixels_however_they_are_batched(batches):
    pred, gt = known(batches)
    right = np.maximum(pred / gt, gt / pred) < 1.25
    assert value(Delta1(), batches) == pytest.approx(right.mean() if len(right) else 0)


@settings(deadline=None)
@given(st.lists(PIXELS, min_size=1, max_size=4))
def test_the_error_is_the_mean_over_all_known_pixels_however_they_are_batched(batches):
    pred, gt = known(batches)
    assert value(DepthError(), batches) == pytest.approx(np.abs(pred - gt).mean() if len(gt) else 0)


@settings(deadline=None)
@given(PIXELS)
def test_the_loss_of_a_batch_is_its_error(batch):
    assert float(l1_loss(*tensors(batch))) == pytest.approx(value(DepthError(), [batch]))


@pytest.mark.parametrize(
    ("pred", "gt", "share"),
    [
        ([1.25, 1.24], [1.0, 1.0], 0.5),  # the threshold itself is wrong
        ([0.8, 0.81], [1.0, 1.0], 0.5),
        ([0.0, -1.0, 1.0], [1.0, 1.0, 1.0], 1 / 3),  # what is not above 0 is wrong
        ([1.0, 5.0], [1.0, 0.0], 1.0),  # what is not known does not count
        ([float("nan"), 1.0], [1.0, 1.0], 0.5),
        ([1.0], [0.0], 0.0),
        ([], [], 0.0),
    ],
)
def test_delta1_at_its_edges(pred, gt, share):
    metric = Delta1()
    metric.update(torch.tensor(pred), torch.tensor(gt))
    assert float(metric.compute()) == pytest.approx(share)


def test_a_pixel_that_is_not_known_gives_no_gradient_whatever_is_predicted():
    pred = torch.tensor([2.0, float("inf"), 5.0], requires_grad=True)
    l1_loss(pred, torch.tensor([1.0, 0.0, 0.0])).backward()
    assert pred.grad.tolist() == [1.0, 0.0, 0.0]


def test_a_batch_without_a_known_pixel_gives_no_loss_and_no_gradient():
    pred = torch.tensor([2.0, 3.0], requires_grad=True)
    loss = l1_loss(pred, torch.zeros(2))
    loss.backward()
    assert (loss.item(), pred.grad.tolist()) == (0.0, [0.0, 0.0])
