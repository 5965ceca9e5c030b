"""The audit trail: who did what to which object through which door. Written from services, in their transaction."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from django.db import models

from core.models import AuditEntry


@dataclass(frozen=True)
class Context:
    """Who acts, through which door; set by the door, read by ``record``."""

    door: str = AuditEntry.Door.SYSTEM
    actor_kind: str = AuditEntry.Actor.SYSTEM
    actor_id: int | None = None
    actor_name: str = ""
    request_id: str = ""
    address: str | None = None


_NOBODY = Context()
_context: ContextVar[Context] = ContextVar("audit_context", default=_NOBODY)


def current() -> Context:
    return _context.get()


@contextlib.contextmanager
def acting(**changes: Any) -> Iterator[Context]:
    """Everything recorded inside carries these facts, on top of those already set."""
    token = _context.set(replace(_context.get(), **changes))
    try:
        yield _context.get()
    finally:
        _context.reset(token)


def become(**changes: Any) -> None:
    """Change the facts of the context already entered: a door learns who acts only after authentication."""
    _context.set(replace(_context.get(), **changes))


def new_request_id() -> str:
    return uuid.uuid4().hex


def draft(
    verb: str,
    *,
    obj: models.Model | None = None,
    by: object | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """The row that ``record`` would append, unsaved: for a statement that writes it together with the change itself."""
    context = current()
    if by is not None:
        context = replace(
            context,
            actor_kind=getattr(by, "audit_kind", AuditEntry.Actor.USER),
            actor_id=getattr(by, "audit_id", getattr(by, "pk", None)),
            actor_name=str(getattr(by, "audit_name", by))[:150],
        )
    return AuditEntry(
        door=context.door,
        actor_kind=context.actor_kind,
        actor_id=context.actor_id,
        actor_name=context.actor_name,
        verb=verb,
        object_type=obj._meta.label_lower if obj is not None else "",
        object_id=str(obj.pk) if obj is not None else "",
        object_name=str(obj)[:200] if obj is not None else "",
        before=before,
        after=after,
        reason=reason,
        request_id=context.request_id,
        address=context.address,
    )


def record(
    verb: str,
    *,
    obj: models.Model | None = None,
    by: object | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one row. ``by`` (a user or a key, anything with ``audit_kind`` and ``audit_name``) overrides the door's actor."""
    entry = draft(verb, obj=obj, by=by, before=before, after=after, reason=reason)
    entry.save(force_insert=True)
    return entry
