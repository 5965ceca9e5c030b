"""Secrets that must be read again (to sign with), kept so that a copy of the database alone does not give them away.

The key is derived from ``SEALING_KEY``, or from ``SECRET_KEY`` where that is empty. What was sealed under a former key (see
``SEALING_KEY_FALLBACKS``, ``SECRET_KEY_FALLBACKS``) can still be opened.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Any

from django.conf import settings


class CannotOpen(Exception):
    """The key it was sealed under is not among ours."""


def seal(text: str) -> str:
    return str(_box(_keys()).encrypt(text.encode()).decode())


def unseal(sealed: str) -> str:
    from cryptography.fernet import InvalidToken

    try:
        return str(_box(_keys()).decrypt(sealed.encode()).decode())
    except InvalidToken as error:
        raise CannotOpen from error


def _keys() -> tuple[str, ...]:
    given = [settings.SEALING_KEY or settings.SECRET_KEY, *settings.SEALING_KEY_FALLBACKS, *settings.SECRET_KEY_FALLBACKS]
    return tuple(dict.fromkeys([*given, settings.SECRET_KEY]))


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> Any:
    from cryptography.fernet import Fernet, MultiFernet

    derived = (hmac.new(b"khareetaty sealing 1", key.encode(), hashlib.sha256).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(one)) for one in derived])
