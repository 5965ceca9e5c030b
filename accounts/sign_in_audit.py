"""Signing in and out leaves its rows in the audit trail. (These are Django's and axes' signals, not ours.)"""

from __future__ import annotations

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from core import audit


@receiver(user_logged_in, dispatch_uid="audit_signed_in")
def signed_in(sender: Any, user: Any, **rest: Any) -> None:
    audit.record("account.sign_in", obj=user, by=user)


@receiver(user_logged_out, dispatch_uid="audit_signed_out")
def signed_out(sender: Any, user: Any, **rest: Any) -> None:
    if user is not None:
        audit.record("account.sign_out", obj=user, by=user)


@receiver(user_login_failed, dispatch_uid="audit_sign_in_failed")
def sign_in_failed(sender: Any, credentials: dict[str, Any], **rest: Any) -> None:
    audit.record("account.sign_in_failed", after={"username": str(credentials.get("username", ""))[:150]})


@receiver(user_locked_out, dispatch_uid="audit_locked_out")
def locked_out(sender: Any, username: str = "", **rest: Any) -> None:
    audit.record("account.locked_out", after={"username": str(username)[:150]})
