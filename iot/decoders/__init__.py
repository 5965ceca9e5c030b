"""What devices send, made into measurements. Pure: bytes in, dataclasses out; a payload that cannot be read ends as ``Undecodable``."""

from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.registry import DECODERS, Decoder, decoder

__all__ = ["DECODERS", "Decoder", "InvalidSettings", "Measurement", "Undecodable", "decoder"]
