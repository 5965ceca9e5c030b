"""What an address on each channel may look like, whether or not this site has the channel: checked when it is kept and when it is used."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from alerts.channels.base import PermanentFailure

COUNTRY = "965"
# What people type between digits, and the invisible marks that come along when a number is copied out of Arabic text.
BETWEEN = re.compile(r"[\s\-().\u00a0\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LOCAL = re.compile(r"[124569]\d{7}")
E164 = re.compile(r"\+[1-9]\d{7,14}")
NUMBERS = frozenset({"sms", "whatsapp", "voice", "gateway"})
URLS = frozenset({"push", "webhook"})
LONGEST = 500


def as_number(text: str) -> str:
    """``+96512345678`` of what somebody typed. Eight digits that are a number in Kuwait are completed; what is no number is refused."""
    ascii_digits = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text[:LONGEST])
    number = BETWEEN.sub("", ascii_digits)
    if number.startswith("00"):
        number = "+" + number[2:]
    elif LOCAL.fullmatch(number):
        number = f"+{COUNTRY}{number}"
    elif re.fullmatch(rf"{COUNTRY}{LOCAL.pattern}", number):
        number = f"+{number}"
    is_ours = number.startswith(f"+{COUNTRY}")
    if not E164.fullmatch(number) or (is_ours and not LOCAL.fullmatch(number[1 + len(COUNTRY) :])):
        raise PermanentFailure(_("This is no telephone number: write it as +96551234567."), code="address", is_address_bad=True)
    return number


def as_email(text: str) -> str:
    address = text.strip()
    try:
        validate_email(address)
    except ValidationError as wrong:
        raise PermanentFailure(_("This is no e-mail address."), code="address", is_address_bad=True) from wrong
    name, _at, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}"


def as_url(text: str) -> str:
    address = text.strip()
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or parts.username or re.search(r"[\s\x00-\x1f\x7f]", address) or len(address) > 1000:
        raise PermanentFailure(
            _("This is no address of a web service: write it as https://host/path, without a user's name."),
            code="address",
            is_address_bad=True,
        )
    return address


def check(channel: str, address: str) -> str:
    """The address as it is kept; ``PermanentFailure`` with a sentence for the user where it cannot be one on this channel."""
    if channel in NUMBERS:
        return as_number(address)
    if channel == "email":
        return as_email(address)
    if channel in URLS:
        return as_url(address)
    return address.strip()[:LONGEST]
