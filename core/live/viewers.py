"""Who sits behind a session right now: asked for all open sockets at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare


def viewers_of(session_keys: Collection[str]) -> dict[str, Any]:
    """The active user of each session that is still good (not signed out, not expired, password unchanged).

    Their jurisdiction is read here, so that nobody asks the database for it on the event loop.
    """
    decoded: dict[str, dict[str, Any]] = {
        session.session_key: session.get_decoded()
        for session in Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now())
    }
    model = get_user_model()
    ids: dict[str, Any] = {}
    for key, data in decoded.items():
        if SESSION_KEY in data and data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS:
            ids[key] = model._meta.pk.to_python(data[SESSION_KEY])
    users: dict[Any, Any] = model._default_manager.in_bulk(set(ids.values()))
    for user in users.values():
        _ = user.jurisdiction
    found: dict[str, Any] = {}
    for key, pk in ids.items():
        user = users.get(pk)
        if (
            user is not None
            and user.is_active
            and constant_time_compare(decoded[key].get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
        ):
            found[key] = user
    return found
