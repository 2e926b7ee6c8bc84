"""What is trained on."""

from lit.panodepth.data.dataset import Panoramas

__all__ = ["Panoramas"]
