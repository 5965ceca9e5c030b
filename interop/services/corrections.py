"""Messages that could not go in, mended by a person and tried again. What the partner sent is kept beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.events import publish
from incidents.permissions import Actor, require
from interop import events
from interop.models import Correction, InboxMessage
from interop.querysets import InboxQuerySet
from interop.services.inbox import MAX_KEPT_BYTES, Replay, process_message, replay_messages
from interop.services.letters import Receipt, canonical_of

MAX_REASON = 2_000
AT_ONCE = 500
Status = InboxMessage.Status


@dataclass(frozen=True)
class Asked:
    """Which messages are meant. What is not said narrows nothing; without a status, those that wait for a person."""

    status: str = ""
    kind: str = ""
    source: str = ""
    code: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def of(self, rows: InboxQuerySet) -> InboxQuerySet:
        rows = rows.filter(status=self.status) if self.status else rows.refused()
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.source:
            rows = rows.filter(source__slug=self.source)
        if self.code:
            rows = rows.wrong_with(self.code)
        if self.since:
            rows = rows.filter(received_at__gte=self.since)
        if self.until:
            rows = rows.filter(received_at__lt=self.until)
        return rows


def correct_message(*, message: InboxMessage, body: Any, by: Actor, reason: str) -> Receipt:
    """Put ``body`` in the place of what was sent and try the message again.

    The message stays known by the id and digest it came with: when its sender repeats it as it was, the answer is the incident it has
    become. Raises ``Conflict`` where it has gone in meanwhile.
    """
    require(by, "mend_messages")
    problems: dict[str, str] = {}
    if not isinstance(body, dict):
        problems["body"] = _("A message is a JSON object.")
    elif len(canonical_of(body)) > MAX_KEPT_BYTES:
        problems["body"] = _("At most %(limit)d bytes.") % {"limit": MAX_KEPT_BYTES}
    if not 1 <= len(reason.strip()) <= MAX_REASON:
        problems["reason"] = _("1 to %(limit)d characters.") % {"limit": MAX_REASON}
    if problems:
        raise Invalid(_("The message cannot be corrected so."), fields=problems)
    with transaction.atomic():
        row = InboxMessage.objects.visible_to(by).select_for_update(of=("self",)).filter(pk=message.pk).first()
        if row is None:
            raise NotFound(_("There is no such message."))
        if row.status == Status.PROCESSED:
            raise Conflict(_("This message has gone in already."))
        if row.body == body:
            raise Invalid(_("Nothing was changed."), fields={"body": _("This is what stands there already.")})
        entry = Correction.objects.create(
            message=row,
            before=row.body,
            after=body,
            reason=reason.strip(),
            author_kind=getattr(by, "audit_kind", "user"),
            author_id=getattr(by, "pk", None),
            author_name=str(getattr(by, "audit_name", by))[:150],
        )
        # Waiting, so that the sweep has it should we be cut off here.
        InboxMessage.objects.filter(pk=row.pk).update(body=body, status=Status.RECEIVED, attempts=0)
        changed = sorted(name for name in {*row.body, *body} if row.body.get(name) != body.get(name))
        data = {"kind": row.kind, "message_id": row.message_id}
        publish(events.MESSAGE_CORRECTED, subject=row, agency_id=row.agency_id, governorate_id=row.governorate_id, data=data)
        audit.record("message.correct", obj=row, by=by, after={"fields": changed, "correction": entry.pk}, reason=reason)
    return process_message(message=row, by=by)


@dataclass
class BulkReplay:
    """How a replay of many went, and how many of them still wait."""

    went: Replay
    tried: int
    left: int

    def counts(self) -> dict[str, int]:
        return {**asdict(self.went), "tried": self.tried, "left": self.left}


def replay_matching(*, asked: Asked, by: Actor, limit: int = AT_ONCE, ids: Iterable[int] | None = None) -> BulkReplay:
    """Try again what ``asked`` describes (of ``ids``, where given), oldest first, at most ``limit`` of them."""
    require(by, "mend_messages")
    rows = asked.of(InboxMessage.objects.visible_to(by)).exclude(status=Status.PROCESSED)
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    chosen = list(rows.order_by("id").values_list("pk", flat=True)[: min(limit, AT_ONCE)])
    went = replay_messages(ids=chosen, by=by)
    after = rows.order_by("id").filter(pk__gt=chosen[-1]).count() if chosen else 0
    return BulkReplay(went, len(chosen), after)
