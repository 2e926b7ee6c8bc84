from .backbone import Backbone
from .decoder import Decoder
