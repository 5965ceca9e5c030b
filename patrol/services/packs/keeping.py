"""The verbs of the handover pack. What was signed is what was seen: each signature carries the hash of what stood on the screen."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from geography.models import Zone
from patrol import events
from patrol.models import RosterEntry, Shift, ShiftPack
from patrol.permissions import may, sees
from patrol.services.packs.facts import SECTIONS, collect

MOST_NOTE = 4_000
LATE_AFTER = timedelta(minutes=30)  # both signatures are there by then, or it is said
MADE_BEFORE_END = timedelta(minutes=30)
LONGEST = timedelta(hours=24)
State = ShiftPack.State


def content_hash(pack: ShiftPack) -> str:
    """What is signed: whose shift, the facts as generated, the notes as written."""
    said = {
        "agency": pack.agency_id, "governorate": pack.governorate_id, "from": pack.shift_from.isoformat(), "to": pack.shift_to.isoformat(),
        "generated_at": pack.generated_at.isoformat(), "facts": pack.facts, "notes": pack.notes,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _require(by: User | None, pack: ShiftPack, *verbs: str) -> None:
    if by is None:
        return
    if not sees(by, pack):
        raise NotFound(_("There is no such pack."))
    if not any(may(by, verb) for verb in verbs):
        raise NotAllowed(_("Your role does not allow this."))


def make_pack(
    *, agency: Agency, governorate: Zone, start: datetime, end: datetime, by: User | None, now: datetime | None = None
) -> ShiftPack:
    """Generate the pack of one shift. One shift has one."""
    now = now or timezone.now()
    if not timedelta(0) < end - start <= LONGEST:
        raise Invalid(_("A shift lasts from 1 to 24 hours."))
    if start > now:
        raise Invalid(_("This shift has not begun."))
    pack = ShiftPack(agency=agency, governorate=governorate, shift_from=start, shift_to=end, generated_at=now, created_by=by)
    _require(by, pack, "sign_handover", "dispatch")
    pack.facts = collect(agency=agency, governorate=governorate, start=start, end=end, now=now)
    pack.is_synthetic = Shift.objects.filter(agency=agency, governorate=governorate, starts_at=start, is_synthetic=True).exists()
    try:
        with transaction.atomic():
            pack.save(force_insert=True)
            _announce(events.SHIFT_PACK_MADE, pack)
            audit.record("shift_pack.make", obj=pack, by=by)
    except IntegrityError as error:
        raise Conflict(_("There is a pack of this shift.")) from error
    return pack


def _announce(type: str, pack: ShiftPack, **data: Any) -> None:
    publish(type, subject=pack, data={"pack": pack.pk, **data}, agency_id=pack.agency_id, governorate_id=pack.governorate_id)


def _locked(pack: ShiftPack) -> ShiftPack:
    rows = ShiftPack.objects.select_for_update(of=("self",)).select_related("agency", "governorate").defer("governorate__boundary")
    return rows.get(pk=pack.pk)


def _draft(pack: ShiftPack) -> ShiftPack:
    known = _locked(pack)
    if known.state != State.DRAFT:
        raise Conflict(_("This pack is signed. Take the signature back before you change it."))
    return known


@transaction.atomic
def renew_pack(*, pack: ShiftPack, by: User | None, now: datetime | None = None) -> ShiftPack:
    """Generate the facts anew. The sections that changed are marked until the next time; notes stay as people wrote them."""
    _require(by, pack, "sign_handover", "dispatch")
    known = _draft(pack)
    now = now or timezone.now()
    fresh = collect(agency=known.agency, governorate=known.governorate, start=known.shift_from, end=known.shift_to, now=now)
    changed = [name for name in SECTIONS if fresh[name] != known.facts.get(name)]
    known.facts, known.generated_at = {**fresh, "changed": changed}, now
    known.save(update_fields=["facts", "generated_at"])
    return known


@transaction.atomic
def note_pack(*, pack: ShiftPack, by: User, section: str, text: str, seen: str | None = None) -> ShiftPack:
    """Write what people have to add to one section. ``seen`` is the note as the writer found it: nobody's words are overwritten unseen."""
    _require(by, pack, "sign_handover", "dispatch")
    if section not in SECTIONS:
        raise NotFound(_("There is no such section."))
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if len(text) > MOST_NOTE:
        raise Invalid(_("At most %(limit)d characters.") % {"limit": MOST_NOTE}, fields={"text": _("Too long.")})
    known = _draft(pack)
    before = known.notes.get(section, "")
    if seen is not None and seen.replace("\r\n", "\n").strip() != before:
        raise Conflict(_("Somebody else has written here meanwhile. Read it, then write again."))
    known.notes = {**known.notes, section: text}
    known.save(update_fields=["notes"])
    audit.record("shift_pack.note", obj=known, by=by, before={section: before}, after={section: text})
    return known


@transaction.atomic
def sign_pack(*, pack: ShiftPack, by: User, part: str, seen: str) -> ShiftPack:
    """The outgoing supervisor signs, then another person as the incoming. ``seen`` is the hash of what the signer had before them. The door
    has confirmed the signer's password."""
    _require(by, pack, "sign_handover")
    known = _locked(pack)
    now = timezone.now()
    if seen != content_hash(known):
        raise Conflict(_("The pack has changed since you read it. Read it again, then sign."))
    if part == "out":
        if known.state != State.DRAFT:
            raise Conflict(_("The outgoing supervisor has signed already."))
        known.state, known.signed_out_by, known.signed_out_at, known.content_sha256 = State.HANDED, by, now, seen
        known.save(update_fields=["state", "signed_out_by", "signed_out_at", "content_sha256"])
    elif part == "in":
        if known.state != State.HANDED:
            raise Conflict(_("The outgoing supervisor signs first.") if known.state == State.DRAFT else _("This pack is signed by both."))
        if known.signed_out_by_id == by.pk:
            raise NotAllowed(_("Two people sign: the incoming supervisor is another person."))
        if seen != known.content_sha256:
            raise Conflict(_("This is not what the outgoing supervisor signed."))
        known.state, known.signed_in_by, known.signed_in_at = State.SIGNED, by, now
        known.save(update_fields=["state", "signed_in_by", "signed_in_at"])
    else:
        raise Invalid(_("Say which of the two signs."))
    _announce(events.SHIFT_PACK_SIGNED, known, by=by.pk, part=part)
    audit.record("shift_pack.sign", obj=known, by=by, after={"part": part, "sha256": seen})
    return known


@transaction.atomic
def return_pack(*, pack: ShiftPack, by: User, reason: str) -> ShiftPack:
    """The first signature is taken back, by whoever gave it or by the incoming supervisor, so that the pack can be put right."""
    _require(by, pack, "sign_handover")
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("A reason is needed here.")})
    known = _locked(pack)
    if known.state != State.HANDED:
        raise Conflict(_("Only a pack with one signature can be taken back."))
    before = {"signed_out_by": known.signed_out_by_id, "sha256": known.content_sha256}
    known.state, known.signed_out_by, known.signed_out_at, known.content_sha256 = State.DRAFT, None, None, ""
    known.save(update_fields=["state", "signed_out_by", "signed_out_at", "content_sha256"])
    audit.record("shift_pack.return", obj=known, by=by, before=before, reason=reason.strip()[:400])
    return known


# --- by the clock ----------------------------------------------------------------------------------------------------


def shifts_to_hand_over(*, agency: Agency, governorate: Zone, now: datetime) -> list[Shift]:
    """Shifts that run or ended within a day and have no pack yet, one a beginning."""
    shifts = Shift.objects.filter(agency=agency, governorate=governorate, starts_at__lte=now, ends_at__gt=now - LONGEST)
    made = set(ShiftPack.objects.filter(agency=agency, governorate=governorate).values_list("shift_from", flat=True))
    found: dict[datetime, Shift] = {}
    for shift in shifts.order_by("starts_at", "-ends_at"):
        if shift.starts_at not in made:
            found.setdefault(shift.starts_at, shift)
    return list(found.values())


def make_due_packs(*, now: datetime | None = None) -> int:
    """Draw up the packs of shifts that are about to end and that somebody works, so that there is something to sign."""
    now = now or timezone.now()
    worked = RosterEntry.objects.standing().values("shift")
    due = Shift.objects.filter(pk__in=worked, ends_at__gt=now - LATE_AFTER, ends_at__lte=now + MADE_BEFORE_END)
    made = 0
    for shift in due.select_related("agency", "governorate").defer("governorate__boundary").order_by("starts_at", "-ends_at"):
        known = ShiftPack.objects.filter(agency=shift.agency_id, governorate=shift.governorate_id, shift_from=shift.starts_at)
        if not known.exists():
            make_pack(agency=shift.agency, governorate=shift.governorate, start=shift.starts_at, end=shift.ends_at, by=None, now=now)
            made += 1
    return made


@transaction.atomic
def announce_unsigned(*, now: datetime | None = None) -> int:
    """Say once of each pack that half an hour after its shift a signature is missing, and whose."""
    now = now or timezone.now()
    late = ShiftPack.objects.exclude(state=State.SIGNED).filter(late_announced_at=None, shift_to__lte=now - LATE_AFTER)
    packs = list(late.select_for_update(skip_locked=True)[:200])
    for pack in packs:
        ShiftPack.objects.filter(pk=pack.pk).update(late_announced_at=now)
        _announce(events.SHIFT_PACK_UNSIGNED, pack, missing="in" if pack.state == State.HANDED else "both")
    return len(packs)
