"""What happens around a person's sign-in, and what they choose for their own screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Invalid, NotAllowed


def name_for_lockout(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> str:
    """The name failures are counted under: any case of it is the same person, as it is for the sign-in itself."""
    given = (credentials or {}).get("username") or (request.POST.get("username", "") if request is not None else "")
    return str(given).strip().casefold()[:64]


@transaction.atomic
def keep_preferences(*, user: User, language: str | None = None, theme: str | None = None) -> User:
    """Remember the person's language or theme; what is not given stays."""
    problems: dict[str, str] = {}
    if language is not None and language not in User.Language.values:
        problems["language"] = _("Choose one of the list.")
    if theme is not None and theme not in User.Theme.values:
        problems["theme"] = _("Choose one of the list.")
    if problems:
        raise Invalid(_("This cannot be chosen."), fields=problems)
    wanted = {name: value for name, value in {"language": language, "theme": theme}.items() if value is not None}
    before = {name: getattr(user, name) for name in wanted}
    if before == wanted:
        return user
    User.objects.filter(pk=user.pk).update(**wanted)
    for name, value in wanted.items():
        setattr(user, name, value)
    audit.record("account.preferences", obj=user, by=user, before=before, after=wanted)
    return user


def confirm_password(request: HttpRequest, password: str) -> None:
    """Before a grave step the person at the screen says again who they are. Failures count towards the same lockout as those of sign-in."""
    user = request.user
    assert isinstance(user, User)
    if authenticate(request, username=user.get_username(), password=password[:1024]) != user:
        raise NotAllowed(_("The password is not right."), fields={"password": _("The password is not right.")})
