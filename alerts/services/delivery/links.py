"""The signed link in a message: whoever holds it may acknowledge this one alert in this one person's name, until it expires."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.choices import Through
from alerts.models import Alert, Page
from core.errors import Conflict, NotFound

_SALT = "alerts.page"
MOST_TOKEN = 200


def signed_link(page: Page) -> str:
    return f"{settings.PUBLIC_URL}/a/{token_of(page)}/"


def token_of(page: Page) -> str:
    return signing.Signer(salt=_SALT).sign(f"{page.pk}.{page.code}").replace(":", "~")


def page_of(token: str) -> Page | None:
    """The page a token was made for; ``None`` for anything forged, and where the page or its person is gone."""
    try:
        told = signing.Signer(salt=_SALT).unsign(token[:MOST_TOKEN].replace("~", ":"))
        pk, _dot, code = told.partition(".")
        page = Page.objects.select_related("alert", "user", "contact").filter(pk=int(pk), code=code).first()
    except (signing.BadSignature, ValueError, OverflowError):
        return None
    who = page.user or page.contact if page is not None else None
    return page if who is not None and who.is_active else None


def acknowledge_by_link(*, token: str) -> Alert:
    """As the person the link was sent to. Once; the second time, and after anybody else, it is a conflict that names who did it."""
    from alerts.services import alerts

    page = page_of(token)
    if page is None:
        raise NotFound(_("This link is not one of ours."))
    if page.code_expires_at <= timezone.now():
        raise Conflict(_("This link is no longer valid."))
    return alerts.acknowledge(alert=page.alert, by=page.user, contact=page.contact, through=Through.LINK, page=page)
