"""How good a depth map is, over every pixel whose depth is known."""

import torch
from torch import Tensor
from torchmetrics import Metric

RATIO = 1.25  # the threshold in "delta 1"


class Delta1(Metric):
    """Share of the pixels with max(pred / gt, gt / pred) < 1.25; where ``gt`` is not above 0, depth is not known.

    A prediction that is not above 0 is wrong. Without a known pixel the share is 0.

    Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network", 2014.
    """

    full_state_update = False
    higher_is_better = True
    n_right: Tensor
    n_known: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("n_right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("n_known", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, pred: Tensor, gt: Tensor) -> None:
        """Take in depths in metres, of one shape."""
        right = (pred < RATIO * gt) & (gt < RATIO * pred)  # never where gt is not above 0
        self.n_right += right.sum()
        self.n_known += (gt > 0).sum()

    def compute(self) -> Tensor:
        return self.n_right / self.n_known.clamp(min=1)


class DepthError(Metric):
    """Mean absolute error in metres over the pixels with ``gt`` above 0, and 0 without one."""

    full_state_update = False
    higher_is_better = False
    error: Tensor
    n_known: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("error", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("n_known", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, pred: Tensor, gt: Tensor) -> None:
        """Take in depths in metres, of one shape."""
        known = gt > 0
        self.error += torch.where(known, (pred - gt).abs(), 0).sum()
        self.n_known += known.sum()

    def compute(self) -> Tensor:
        return self.error / self.n_known.clamp(min=1)
