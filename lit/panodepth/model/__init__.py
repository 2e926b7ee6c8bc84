"""The parts of the network."""

from lit.panodepth.model.backbone import Backbone
from lit.panodepth.model.decoder import Decoder

__all__ = ["Backbone", "Decoder"]
