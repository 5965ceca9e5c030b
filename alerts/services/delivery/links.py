"""The signed link in a message: whoever holds it may acknowledge this one alert in this one person's name, until it expires."""

from __future__ import annotations

from django.conf import settings
from django.core import signing

from alerts.models import Page

_SALT = "alerts.page"
MOST_TOKEN = 200


def signed_link(page: Page) -> str:
    return f"{settings.PUBLIC_URL}/a/{token_of(page)}/"


def token_of(page: Page) -> str:
    return signing.Signer(salt=_SALT).sign(f"{page.pk}.{page.code}").replace(":", "~")


def page_of(token: str) -> Page | None:
    """The page a token was made for; ``None`` for anything forged or of a page that is gone. Whether it has expired the page says."""
    try:
        told = signing.Signer(salt=_SALT).unsign(token[:MOST_TOKEN].replace("~", ":"))
        pk, _dot, code = told.partition(".")
        return Page.objects.select_related("alert", "user", "contact").filter(pk=int(pk), code=code).first()
    except (signing.BadSignature, ValueError, OverflowError):
        return None
