"""People's tokens: what a phone or a script holds instead of a session's cookie.

A sign-in is a row (``TokenSession``); its tokens carry its id and every request asks the row. So a sign-in that is revoked, an account
that is disabled and a password that is changed stop every token at the next request, however long it has still to run. A refresh token is
good once: shown again, it ends the sign-in, since one of the two who hold it is not its owner. See docs/decisions/0213.
"""

from __future__ import annotations

import functools
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from accounts.models import TokenSession, User
from core import audit
from core.errors import DomainError
from core.middleware import network_address

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "khareetaty"
MOST_CHARACTERS = 2_000
FORGOTTEN_AFTER = timedelta(days=30)


class NotRecognised(DomainError):
    """Name and password, or a token, that open nothing. Why is said to nobody outside."""

    status, code = 401, "not_recognised"


@dataclass(frozen=True)
class Tokens:
    """Both tokens of a sign-in: shown now, and kept nowhere."""

    session: TokenSession
    access: str
    access_expires_at: datetime
    refresh: str
    refresh_expires_at: datetime


def sign_in(*, request: HttpRequest, username: str, password: str) -> Tokens:
    """Tokens for whoever knows the password; failures count towards the same lockout as those of the sign-in page."""
    user = authenticate(request, username=username[:64], password=password[:1024])
    if not isinstance(user, User):
        raise NotRecognised(_("User name and password do not go together."))
    with transaction.atomic():
        now = timezone.now()
        TokenSession.objects.filter(user=user, expires_at__lt=now - FORGOTTEN_AFTER).delete()
        session = TokenSession.objects.create(
            user=user,
            refresh_id=uuid.uuid4(),
            auth_hash=user.get_session_auth_hash(),
            expires_at=now + timedelta(days=settings.TOKEN_SIGN_IN_DAYS),
            address=network_address(request),
            agent=request.headers.get("User-Agent", "")[:200],
        )
        user_logged_in.send(sender=User, request=request, user=user)
    return _tokens_of(session, now=now)


def renew(*, refresh: str) -> Tokens:
    """New tokens for a refresh token, which is good no more. One that was used before ends the whole sign-in."""
    claims = _claims(refresh, "refresh")
    sorry = NotRecognised(_("This token is unknown, expired or revoked."))
    if claims is None:
        raise sorry
    with transaction.atomic():
        session = TokenSession.objects.select_for_update(of=("self",)).select_related("user").filter(pk=claims["sid"]).first()
        if session is None or not session.holds:
            raise sorry
        if str(session.refresh_id) != claims["jti"]:
            _end(session, why="reused")
            session = None
        else:
            now = timezone.now()
            session.refresh_id, session.refreshed_at = uuid.uuid4(), now
            session.save(update_fields=["refresh_id", "refreshed_at"])
    if session is None:  # outside, so that the end of the sign-in is kept
        raise sorry
    return _tokens_of(session, now=now)


def session_of(access: str) -> TokenSession | None:
    """The sign-in that an access token belongs to, with its person, while it holds."""
    claims = _claims(access, "access")
    if claims is None:
        return None
    session = TokenSession.objects.select_related("user__agency").filter(pk=claims["sid"]).first()
    return session if session is not None and session.holds else None


@transaction.atomic
def revoke(*, token: str, everywhere: bool = False) -> int:
    """End the sign-in that a token of either kind belongs to, or every sign-in of its person; how many ended."""
    claims = _claims(token, "access") or _claims(token, "refresh")
    session = TokenSession.objects.select_related("user").filter(pk=claims["sid"]).first() if claims else None
    if session is None or not session.holds:
        return 0
    ending = [session]
    if everywhere:
        ending = list(TokenSession.objects.select_related("user").filter(user=session.user, revoked_at=None))
    for one in ending:
        _end(one, why="signed_out")
    return len(ending)


@transaction.atomic
def end_session(*, session: TokenSession, by: User) -> None:
    """Somebody who manages people ends a sign-in."""
    if session.revoked_at is None:
        _end(session, why="ended", by=by)


def _end(session: TokenSession, *, why: str, by: User | None = None) -> None:
    session.revoked_at = timezone.now()
    TokenSession.objects.filter(pk=session.pk).update(revoked_at=session.revoked_at)
    audit.record("account.tokens_end", obj=session.user, by=by or session.user, after={"why": why, "sign_in": str(session.pk)})


def _tokens_of(session: TokenSession, *, now: datetime) -> Tokens:
    access_until = min(now + timedelta(hours=settings.TOKEN_ACCESS_HOURS), session.expires_at)
    refresh_until = min(now + timedelta(days=settings.TOKEN_REFRESH_DAYS), session.expires_at)
    access = {"typ": "access", "jti": str(uuid.uuid4()), "exp": access_until}
    refresh = {"typ": "refresh", "jti": str(session.refresh_id), "exp": refresh_until}
    shared = {"sid": str(session.pk), "sub": str(session.user_id), "iat": now}
    return Tokens(session, _signer().encode(access | shared), access_until, _signer().encode(refresh | shared), refresh_until)


def _claims(token: str, kind: str) -> dict[str, Any] | None:
    """What a token of ours says, once its signature, algorithm, issuer, audience and end have been found right."""
    if not token or len(token) > MOST_CHARACTERS or not token.isascii():
        return None
    try:
        claims: dict[str, Any] = _signer().decode(token)  # type: ignore[arg-type]
        uuid.UUID(claims["sid"]), uuid.UUID(claims["jti"])
        is_ours = claims["typ"] == kind and datetime.fromtimestamp(claims["exp"], UTC) > timezone.now()
    except (TokenBackendError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return claims if is_ours else None


def _signer() -> TokenBackend:
    return _signer_with(settings.TOKEN_SIGNING_KEY or settings.SECRET_KEY)


@functools.lru_cache(maxsize=4)
def _signer_with(secret: str) -> TokenBackend:
    """One algorithm, said here: what a token's own head says of it decides nothing. The key is drawn from the secret for this use alone."""
    key = hmac.new(secret.encode(), b"khareetaty: people's tokens", sha256).hexdigest()
    return TokenBackend(ALGORITHM, signing_key=key, audience=AUDIENCE, issuer=ISSUER)
