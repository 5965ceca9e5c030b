"""The durable inbox: what is answered with a 2xx is committed, what cannot go in is kept with its reasons, nothing is said twice."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, DomainError
from incidents.models import Incident, Report
from incidents.permissions import Actor, require
from interop.messages import Notice
from interop.models import InboxMessage, InboxRepeat, PartnerKey
from interop.services.feeds import feed_of, forget
from interop.services.letters import Fault, Letter, Outcome, Receipt, faults_of, open_letter, read_letter, reader_of, type_of
from interop.services.warnings import Taken, TakenAlready, take_warning

logger = logging.getLogger("khareetaty.intake")

MAX_ATTEMPTS = 5
MAX_KEPT_BYTES = 256 * 1024
TOGETHER = 50  # messages in one transaction
Status = InboxMessage.Status


class KeyReused(DomainError):
    """An idempotency key stands for one content."""

    status, code = 409, "idempotency_key_reused"


class IdReused(Conflict):
    """A source's id stands for one content, once it has been taken."""

    code = "message_id_reused"


class _KnownAlready(Exception):
    """The message, or its report, is there: look at it before doing anything."""


def receive_message(*, key: PartnerKey, kind: str, body: Any, idempotency_key: str = "", canonical: bytes | None = None) -> Receipt:
    """Take one message in: committed before this returns, unless it raises.

    The receipt says what became of it: an incident was opened; it repeats one we have; it was rejected (and kept, so that it
    can be corrected or replayed); or it was kept because something failed on our side, and will be processed by the sweep.
    Raises ``NotAllowed`` where the key may not send it, ``KeyReused`` and ``IdReused`` where an identity stands for another content.
    """
    require(key, "open")
    feed = feed_of(partner=key.partner, kind=kind)
    letter = read_letter(feed=feed, kind=kind, body=body, canonical=canonical, idempotency_key=idempotency_key, key=key)
    return letter if isinstance(letter, Receipt) else _settle(letter)


def receive_messages(
    *, key: PartnerKey, kind: str, bodies: Sequence[Any], idempotency_key: str = "", numbers: Sequence[int] | None = None
) -> list[Receipt | DomainError]:
    """Take many messages in, each for itself, and answer in their order: a receipt, or what ``receive_message`` would have raised.

    They are committed some tens at a time; where one of them cannot go in, its companions are taken one by one. ``numbers`` are their
    places in the batch that the idempotency key stands for, where this is a part of one.
    """
    require(key, "open")
    feed = feed_of(partner=key.partner, kind=kind)
    letters = [
        read_letter(feed=feed, kind=kind, body=body, idempotency_key=f"{idempotency_key[:90]}:{index}" if idempotency_key else "", key=key)
        for index, body in zip(numbers or range(len(bodies)), bodies, strict=True)
    ]
    answers: list[Receipt | DomainError] = []
    for start in range(0, len(letters), TOGETHER):
        some = letters[start : start + TOGETHER]
        answers += _take_together(some) or [_one_of_many(letter) for letter in some]
    return answers


def _take_together(letters: Sequence[Letter | Receipt]) -> list[Receipt | DomainError] | None:
    """All of them in one transaction, or none and ``None``."""
    if any(isinstance(letter, Receipt) or letter.particulars is None for letter in letters):
        return None
    try:
        with transaction.atomic():
            return [_take(letter, savepoint=False) for letter in letters if isinstance(letter, Letter)]
    except Exception:
        # Taken one by one, each says what is wrong with it; what is our fault is logged and kept there.
        return None


def _one_of_many(letter: Letter | Receipt) -> Receipt | DomainError:
    if isinstance(letter, Receipt):
        return letter
    try:
        return _settle(letter)
    except DomainError as refusal:
        return refusal


def _settle(letter: Letter) -> Receipt:
    try:
        return _take(letter)
    except _KnownAlready:
        return _take_again(letter)
    except DomainError as refusal:
        return _refuse(letter, refusal)
    except Exception:
        # The sender did its part. What failed is ours: the message is kept, and the sweep tries again.
        logger.exception("%s %s could not be processed; it is kept", letter.kind, letter.message_id)
        forget()
        return _keep(letter)


def _warn(letter: Letter) -> Taken | None:
    """What a warning does; ``None`` of a message that opens an incident."""
    if not isinstance(letter.particulars, Notice):
        return None
    feed = letter.feed
    try:
        return take_warning(source=feed.source, partner=feed.partner, key=letter.key, notice=letter.particulars)
    except TakenAlready as known:
        raise _KnownAlready from known


def _insert(
    letter: Letter, *, status: str, incident: Incident | None = None, governorate_id: int | None = None, errors: Iterable[Fault] = ()
) -> InboxMessage:
    return InboxMessage.objects.create(
        source=letter.feed.source,
        kind=letter.kind,
        message_id=letter.message_id,
        idempotency_key=letter.idempotency_key,
        digest=letter.digest,
        body=letter.body,
        status=status,
        attempts=1,
        errors=list(errors),
        key=letter.key,
        incident=incident,
        agency_id=letter.feed.source.agency_id,
        governorate_id=incident.governorate_id if incident else governorate_id,
        request_id=audit.current().request_id,
        processed_at=timezone.now() if status == Status.PROCESSED else None,
    )


def _take(letter: Letter, *, savepoint: bool = True) -> Receipt:
    """The usual way: report, incident, log, audit, event and message in one transaction."""
    type = type_of(letter)
    try:
        with transaction.atomic(savepoint=savepoint):
            taken = _warn(letter)
            if taken is not None:
                message = _insert(letter, status=Status.PROCESSED, governorate_id=taken.governorate_id)
                taken.keep(message)
                return Receipt(Outcome.OPENED, message, taken=taken)
            opened = open_letter(letter, type, by=letter.key)
            if not opened.is_new:
                raise _KnownAlready
            message = _insert(letter, status=Status.PROCESSED, incident=opened.incident)
    except IntegrityError as error:
        if "message_once" in str(error) or "message_key_once" in str(error):
            raise _KnownAlready from error
        raise
    return Receipt(Outcome.OPENED, message, opened.incident)


@transaction.atomic
def _take_again(letter: Letter) -> Receipt:
    """A message whose identity we know: a repeat, a correction of a rejected one, or another content under the same name."""
    message = _known(letter)
    if message is None:
        # The report came by another door (a file, say): the message is that report again.
        incident = Report.objects.select_related("incident__region").get(source=letter.feed.source, external_id=letter.message_id).incident
        InboxRepeat.objects.create(source=letter.feed.source)
        return Receipt(Outcome.REPEATED, _insert(letter, status=Status.PROCESSED, incident=incident), incident)
    if message.status == Status.PROCESSED:
        if message.digest != letter.digest:
            raise IdReused(
                _("This id was taken before, with another content."),
                fields={reader_of(letter.kind).id_field: _("The message taken then stays as it is.")},
                codes={reader_of(letter.kind).id_field: "message_id_reused"},
            )
        InboxRepeat.objects.create(source=letter.feed.source)
        return Receipt(Outcome.REPEATED, message, message.incident)
    message.body, message.digest = letter.body, letter.digest
    message.message_id, message.idempotency_key = letter.message_id, letter.idempotency_key or message.idempotency_key
    message.key = letter.key
    message.save(update_fields=["body", "digest", "message_id", "idempotency_key", "key"])
    return _process(message, letter, by=letter.key)


def _known(letter: Letter) -> InboxMessage | None:
    """The message that has the letter's id or idempotency key, locked. ``KeyReused`` where the key stands for another one."""
    same = Q(message_id=letter.message_id)
    if letter.idempotency_key:
        same |= Q(idempotency_key=letter.idempotency_key)
    found = list(
        InboxMessage.objects.select_for_update(of=("self",))
        .select_related("incident__region")
        .filter(same, source=letter.feed.source)
        .order_by("id")
    )
    by_id = next((message for message in found if message.message_id == letter.message_id), None)
    by_key = next((message for message in found if letter.idempotency_key and message.idempotency_key == letter.idempotency_key), None)
    taken = by_key is not None and by_key.status == Status.PROCESSED and by_key.digest != letter.digest
    if taken or (by_key is not None and by_id is not None and by_key.pk != by_id.pk):
        raise KeyReused(_("This Idempotency-Key was used before, for another content."))
    return by_id or by_key


def _process(message: InboxMessage, letter: Letter, *, by: Actor | None) -> Receipt:
    """Try a kept message, whose row the caller has locked."""
    message.attempts += 1
    message.errors = []
    incident: Incident | None = None
    taken: Taken | None = None
    outcome = Outcome.REJECTED
    try:
        type = type_of(letter)
        with transaction.atomic():
            taken = _warn(letter)
            if taken is not None:
                taken.keep(message)
                outcome, message.governorate_id = Outcome.OPENED, taken.governorate_id
            else:
                opened = open_letter(letter, type, by=by)
                incident = opened.incident
                outcome = Outcome.OPENED if opened.is_new else Outcome.REPEATED
                message.governorate_id = incident.governorate_id
        message.status, message.processed_at, message.incident = Status.PROCESSED, timezone.now(), incident
    except DomainError as refusal:
        message.status, message.errors = Status.REJECTED, faults_of(refusal)
    message.save(update_fields=["attempts", "errors", "status", "processed_at", "incident", "governorate_id"])
    return Receipt(outcome, message, incident, message.problems(), taken)


def _refuse(letter: Letter, refusal: DomainError) -> Receipt:
    """Keep a message that cannot go in, with its reasons, so that it can be corrected or replayed; a huge one is only answered."""
    faults = faults_of(refusal)
    if letter.size_bytes > MAX_KEPT_BYTES:
        return Receipt(Outcome.REJECTED, None, errors=faults)
    try:
        with transaction.atomic():
            return Receipt(Outcome.REJECTED, _insert(letter, status=Status.REJECTED, errors=faults), errors=faults)
    except IntegrityError:
        return _take_again(letter)


def _keep(letter: Letter) -> Receipt:
    try:
        with transaction.atomic():
            return Receipt(Outcome.KEPT, _insert(letter, status=Status.RECEIVED))
    except IntegrityError:
        with transaction.atomic():
            message = _known(letter)
        assert message is not None
        return Receipt(Outcome.KEPT, message, message.incident)


def process_message(*, message: InboxMessage, by: Actor | None) -> Receipt:
    """Try a kept message again. One that was processed meanwhile is left as it is; one that is being processed elsewhere too."""
    with transaction.atomic():
        row = (
            InboxMessage.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("source__feed__partner", "source__region", "source__agency", "key__partner", "incident__region")
            .filter(pk=message.pk)
            .first()
        )
        if row is None:
            raise Conflict(_("This message is being processed already."))
        if row.status == Status.PROCESSED:
            return Receipt(Outcome.REPEATED, row, row.incident)
        try:
            with transaction.atomic():
                letter = read_letter(
                    feed=row.source.feed,
                    kind=row.kind,
                    body=row.body,
                    idempotency_key=row.idempotency_key or "",
                    key=row.key,
                )
                assert isinstance(letter, Letter)
                return _process(row, letter, by=by)
        except Exception:
            logger.exception("message %s could not be processed", row.pk)
            forget()
            row.attempts += 1
            row.status = Status.DEAD if row.attempts >= MAX_ATTEMPTS else Status.RECEIVED
            row.errors = [{"field": "", "code": "failed", "detail": _("It failed on our side; the log says why.")}]
            row.save(update_fields=["attempts", "status", "errors"])
            return Receipt(Outcome.KEPT, row, None, row.problems())


@dataclass
class Replay:
    """How a replay went, in counts."""

    opened: int = 0
    repeated: int = 0
    rejected: int = 0
    failed: int = 0


def replay_messages(*, ids: Iterable[int], by: Actor | None) -> Replay:
    """Try messages again, one transaction each: rejected and dead ones too. ``by`` signs for the incidents that open."""
    require(by, "open")
    went = Replay()
    rows = InboxMessage.objects.filter(pk__in=list(ids)).order_by("id")
    for message in rows.visible_to(by) if by is not None else rows:
        try:
            outcome = process_message(message=message, by=by).outcome
        except Conflict:
            outcome = Outcome.KEPT
        if outcome == Outcome.OPENED:
            went.opened += 1
        elif outcome == Outcome.REPEATED:
            went.repeated += 1
        elif outcome == Outcome.REJECTED:
            went.rejected += 1
        else:
            went.failed += 1
        audit.record("message.replay", obj=message, by=by, before={"status": message.status}, after={"outcome": str(outcome)})
    return went


def sweep_inbox(*, older_than_s: float = 30.0, limit: int = 500) -> Replay:
    """Process what was accepted and not yet processed: what a crash or a fault of ours left behind."""
    went = Replay()
    before = timezone.now() - timedelta(seconds=older_than_s)
    for message in InboxMessage.objects.waiting().filter(received_at__lt=before).select_related("key__partner")[:limit]:
        try:
            outcome = process_message(message=message, by=message.key).outcome
        except Conflict:
            continue
        went.opened += outcome == Outcome.OPENED
        went.repeated += outcome == Outcome.REPEATED
        went.rejected += outcome == Outcome.REJECTED
        went.failed += outcome == Outcome.KEPT
    return went
