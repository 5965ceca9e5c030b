"""What lets a phone call for help when its session has run out: good for that alone, and only for its own person."""

from __future__ import annotations

from django.core import signing
from django.utils.crypto import constant_time_compare

from accounts.models import User

GOOD_FOR_S = 72 * 3600  # longer than any shift; a page that was opened meanwhile has a newer one
_SALT = "patrol.sos"


def token_for(user: User) -> str:
    return signing.dumps([user.pk, _mark(user)], salt=_SALT)


def bearer_of(token: str) -> User | None:
    """The person it was given to: still active, with the same password."""
    try:
        pk, mark = signing.loads(token[:400], salt=_SALT, max_age=GOOD_FOR_S)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = User.objects.filter(pk=pk, is_active=True).first()
    return user if user is not None and constant_time_compare(str(mark), _mark(user)) else None


def _mark(user: User) -> str:
    return user.get_session_auth_hash()[:16]
