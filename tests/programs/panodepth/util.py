import torch
from torchmetrics import Metric


class Delta1(Metric):
    def __init__(self, thresh=1.25):
        super().__init__()
        self.thresh = thresh
        self.add_state("correct", default=torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, pred, gt):
        self.correct += (torch.max(pred / gt, gt / pred) < self.thresh).sum()
        self.total += gt.numel()

    def compute(self):
        return self.correct / self.total
