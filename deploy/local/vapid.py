"""A pair of keys by which browsers' push services know us (RFC 8292): made once for an installation, and kept with its secrets."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True)
class Pair:
    private: str
    public: str


def vapid_pair() -> Pair:
    """Both as base64url without padding, as browsers and ``VAPID_PRIVATE_KEY`` want them."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Pair(_text(key.private_numbers().private_value.to_bytes(32, "big")), _text(public))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
