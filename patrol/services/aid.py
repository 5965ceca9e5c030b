"""Mutual aid: an agreement that both agencies consent to, and under it, incident by incident, units asked for, granted and given back.

A grant opens exactly two things, until it ends: the borrower's dispatchers may be advised of and send the lender's units of the agreed
kinds to that one incident; the lender's people may see that one incident.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency, User
from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from incidents.lifecycle import FINAL
from incidents.models import Incident
from incidents.permissions import require as require_on_incident
from patrol import events
from patrol.models import AidRequest, MutualAid, UnitKind
from patrol.permissions import require_on_duty

USUAL = timedelta(hours=6)
LONGEST = timedelta(days=730)
MOST_UNITS = 50


def in_force(*, at: datetime) -> Q:
    """Agreements that both sides have consented to, that have begun and not ended."""
    consented = Q(lender_consent_by__isnull=False, borrower_consent_by__isnull=False)
    return consented & Q(ended_at=None, starts_at__lte=at, ends_at__gt=at)


def agreements_of(viewer: object) -> QuerySet[MutualAid]:
    """Agreements of the viewer's agencies."""
    rows = MutualAid.objects.select_related("lender", "borrower", "lender_consent_by", "borrower_consent_by")
    agencies = jurisdiction_of(viewer).agency_ids
    return rows if agencies is None else rows.filter(Q(lender__in=sorted(agencies)) | Q(borrower__in=sorted(agencies)))


def asked_of(viewer: User, *, at: datetime) -> QuerySet[AidRequest]:
    """What the viewer's own agency is asked for or has granted, as long as it runs. Only for those who answer such requests."""
    rows = AidRequest.objects.select_related(*_WITH).filter(ended_at=None, ends_at__gt=at, agreement__ended_at=None)
    if viewer.agency_id is None or not (viewer.can("dispatch") or viewer.can("consent_aid")):
        return rows.none()
    return rows.filter(agreement__lender=viewer.agency_id).exclude(is_granted=False)


def asked_by(viewer: User) -> QuerySet[AidRequest]:
    """What was asked for on incidents that the viewer sees."""
    return AidRequest.objects.select_related(*_WITH).filter(incident__in=Incident.objects.visible_to(viewer))


_WITH = ("agreement__lender", "agreement__borrower", "incident__region", "incident__type", "incident__area", "requested_by", "answered_by")


@transaction.atomic
def propose_aid(
    *, lender: Agency, borrower: Agency, starts_at: datetime, ends_at: datetime, by: User, unit_kinds: Sequence[str] = ()
) -> MutualAid:
    """Draw up an agreement. Whoever draws it up consents for their own agency; the other side has yet to."""
    if by.agency_id not in {lender.pk, borrower.pk}:
        raise NotFound(_("There is no such agency."))
    if not by.can("consent_aid"):
        raise NotAllowed(_("Your role does not allow this."))
    if lender.pk == borrower.pk:
        raise Invalid(_("Choose two agencies."), fields={"lender": _("Choose two agencies.")})
    if not starts_at < ends_at <= starts_at + LONGEST or ends_at <= timezone.now():
        raise Invalid(_("It must end after it begins."), fields={"ends_at": _("It must end after it begins.")})
    if set(unit_kinds) - set(UnitKind.values):
        raise Invalid(_("Unknown kind of unit."), fields={"unit_kinds": _("Choose one of the list.")})
    made = MutualAid.objects.create(
        lender=lender,
        borrower=borrower,
        starts_at=starts_at,
        ends_at=ends_at,
        unit_kinds=sorted(set(unit_kinds)),
        lender_consent_by=by if by.agency_id == lender.pk else None,
        borrower_consent_by=by if by.agency_id == borrower.pk else None,
    )
    audit.record("aid.propose", obj=made, by=by, after={"lender": lender.slug, "borrower": borrower.slug, "kinds": made.unit_kinds})
    return made


@transaction.atomic
def consent_to_aid(*, agreement: MutualAid, by: User) -> MutualAid:
    """Consent for one's own agency."""
    side = _side(agreement, by)
    if not by.can("consent_aid"):
        raise NotAllowed(_("Your role does not allow this."))
    column = f"{side}_consent_by"
    free = MutualAid.objects.filter(pk=agreement.pk, ended_at=None, **{column: None})
    if free.update(**{column: by}) != 1:
        raise Conflict(_("Your agency has consented already, or the agreement has ended."))
    agreement.refresh_from_db()
    audit.record("aid.consent", obj=agreement, by=by, after={"side": side})
    return agreement


@transaction.atomic
def end_agreement(*, agreement: MutualAid, by: User, reason: str = "") -> MutualAid:
    """Either side may end it; what was granted under it ends with it."""
    _side(agreement, by)
    if not by.can("consent_aid"):
        raise NotAllowed(_("Your role does not allow this."))
    now = timezone.now()
    if MutualAid.objects.filter(pk=agreement.pk, ended_at=None).update(ended_at=now) != 1:
        raise Conflict(_("This agreement has ended."))
    AidRequest.objects.filter(agreement=agreement, ended_at=None).update(ended_at=now)
    agreement.refresh_from_db()
    audit.record("aid.end_agreement", obj=agreement, by=by, reason=reason)
    return agreement


@transaction.atomic
def ask_for_aid(
    *, agreement: MutualAid, incident: Incident, by: User, units_wanted: int = 1, note: str = "", ends_at: datetime | None = None
) -> AidRequest:
    """Ask the lender for units for one incident, until ``ends_at`` (six hours, or the agreement's end)."""
    now = timezone.now()
    require_on_incident(by, "dispatch", incident)
    require_on_duty(by)
    current = MutualAid.objects.filter(in_force(at=now), pk=agreement.pk, borrower=incident.agency_id).first()
    if current is None:
        raise Conflict(_("There is no agreement in force with this agency."))
    if incident.state in FINAL:
        raise Conflict(_("This incident is closed. Reopen it first."))
    until = min(ends_at or now + USUAL, current.ends_at)
    problems: dict[str, str] = {}
    if not 1 <= units_wanted <= MOST_UNITS:
        problems["units_wanted"] = _("From %(least)d to %(most)d.") % {"least": 1, "most": MOST_UNITS}
    if until <= now:
        problems["ends_at"] = _("It must end after it begins.")
    if len(note) > 400:
        problems["note"] = _("At most %(limit)d characters.") % {"limit": 400}
    if problems:
        raise Invalid(_("This cannot be asked for so."), fields=problems)
    AidRequest.objects.filter(agreement=current, incident=incident, ended_at=None, ends_at__lte=now).update(ended_at=F("ends_at"))
    try:
        with transaction.atomic():
            made = AidRequest.objects.create(
                agreement=current, incident=incident, units_wanted=units_wanted, note=note.strip(), requested_by=by, requested_at=now,
                ends_at=until,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(_("This aid is asked for already.")) from error
    _tell(events.AID_REQUESTED, made, agency_id=current.lender_id, lender=current.lender_id, borrower=current.borrower_id)
    audit.record("aid.ask", obj=made, by=by, after={"incident": incident.ref, "lender": current.lender_id, "units": units_wanted})
    return made


@transaction.atomic
def answer_aid(*, request: AidRequest, by: User, is_granted: bool) -> AidRequest:
    """The lender's answer. Granting opens this one incident to the lender's people, and their units to this one incident."""
    _require_side(request, by, "lender")
    now = timezone.now()
    waiting = AidRequest.objects.filter(pk=request.pk, is_granted=None, ended_at=None, ends_at__gt=now, agreement__ended_at=None)
    answer: dict[str, Any] = {"is_granted": is_granted, "answered_by": by, "answered_at": now}
    if not is_granted:
        answer["ended_at"] = now
    if waiting.update(**answer) != 1:
        raise Conflict(_("This request has been answered or has ended."))
    request.refresh_from_db()
    _tell(events.AID_ANSWERED, request, agency_id=request.agreement.borrower_id, granted=is_granted)
    audit.record("aid.answer", obj=request, by=by, after={"granted": is_granted})
    return request


@transaction.atomic
def end_aid(*, request: AidRequest, by: User | None, reason: str = "") -> AidRequest:
    """Give it back: either side may. Units under way finish what they were sent to; nothing new is sent, nothing more is seen."""
    if by is not None:
        _require_side(request, by, "lender", "borrower")
    if AidRequest.objects.filter(pk=request.pk, ended_at=None).update(ended_at=timezone.now()) != 1:
        raise Conflict(_("This request has been answered or has ended."))
    request.refresh_from_db()
    audit.record("aid.end", obj=request, by=by, reason=reason)
    return request


def end_aid_of(*, incident_ids: Sequence[int]) -> int:
    """The incidents are closed: nothing is lent to them any more."""
    over = Incident.objects.filter(pk__in=list(incident_ids), state__in=sorted(FINAL))
    rows = list(AidRequest.objects.filter(incident__in=over, ended_at=None))
    for row in rows:
        end_aid(request=row, by=None, reason="incident closed")
    return len(rows)


def _side(agreement: MutualAid, by: User) -> str:
    if by.agency_id == agreement.lender_id:
        return "lender"
    if by.agency_id == agreement.borrower_id:
        return "borrower"
    raise NotFound(_("There is no such agreement."))


def _require_side(request: AidRequest, by: User, *sides: str) -> None:
    if _side(request.agreement, by) not in sides:
        raise NotFound(_("There is no such request."))
    if not (by.can("dispatch") or by.can("consent_aid")):
        raise NotAllowed(_("Your role does not allow this."))
    require_on_duty(by)


def _tell(event: str, request: AidRequest, *, agency_id: int, **data: Any) -> None:
    publish(event, subject=request, agency_id=agency_id, data={"incident": request.incident_id, **data})
