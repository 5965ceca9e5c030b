"""Decoders by the name a device profile gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from iot.decoders.binary_fields import BinaryFields
from iot.decoders.cayenne_lpp import CayenneLpp
from iot.decoders.cbor_form import CborForm
from iot.decoders.errors import InvalidSettings
from iot.decoders.json_path import JsonPath
from iot.decoders.measurement import Measurement
from iot.decoders.sms_text import SmsText


class Decoder(Protocol):
    """Made once from a profile's settings, then called for each payload."""

    def __call__(self, payload: object) -> list[Measurement]:
        """At least one measurement, or ``Undecodable``: nothing else is raised, whatever comes."""


DECODERS: Mapping[str, Callable[[object], Decoder]] = {
    "json_path": JsonPath,
    "binary_fields": BinaryFields,
    "cayenne_lpp": CayenneLpp,
    "cbor": CborForm,
    "sms_text": SmsText,
}


def decoder(name: str, settings: object) -> Decoder:
    """The decoder of a profile.

    Raises
    ------
    InvalidSettings
        With the path to the setting that is wrong.

    Examples
    --------
    >>> read = decoder("json_path", {"fields": [{"metric": "temperature_c", "path": "t", "factor": 0.1}]})
    >>> read(b'{"t": 215}')
    [Measurement(metric='temperature_c', value=21.5, at=None)]
    """
    if name not in DECODERS:
        raise InvalidSettings("decoder", f"there is no {name[:40]!r}; there are {', '.join(DECODERS)}")
    return DECODERS[name](settings)
