"""Agreements: proposed, changed, signed by both, revoked by either. Nothing is read through one that both have not signed as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from geography.models import Zone
from incidents.models import IncidentType
from interop import events
from interop.models import AgreementVersion, Part, Partner, Precision, SharingAgreement, Signature
from interop.models.sharing import LONGEST

State, Side = SharingAgreement.State, Signature.Side
EXACT_ONLY = (Part.ADDRESS, Part.DESCRIPTION)
MAX_REASON = 2_000


@dataclass(frozen=True)
class AgreementTerms:
    """What both sign. Nothing is shared by leaving something out: every type, every governorate are said."""

    title: str
    purpose: str
    giver: Agency
    receiver: Agency
    starts_at: datetime
    ends_at: datetime
    partner: Partner | None = None
    all_types: bool = False
    categories: Sequence[str] = ()
    types: Iterable[IncidentType] = field(default=())
    all_governorates: bool = False
    governorates: Iterable[Zone] = field(default=())
    parts: Sequence[str] = ()
    precision: str = Precision.AREA
    occurred_from: datetime | None = None

    def columns(self) -> dict[str, Any]:
        names = ("purpose", "giver", "receiver", "partner", "all_types", "all_governorates", "precision", "occurred_from", "starts_at")
        return {
            **{name: getattr(self, name) for name in names},
            "title": self.title.strip(),
            "ends_at": self.ends_at,
            "categories": sorted(set(self.categories)),
            "parts": [part for part in Part.values if part in self.parts],
        }

    def plain(self) -> dict[str, Any]:
        """As it is kept with each version and shown again."""
        return {
            "title": self.title.strip(),
            "purpose": self.purpose,
            "giver": self.giver.slug,
            "receiver": self.receiver.slug,
            "partner": self.partner.slug if self.partner else None,
            "types": None if self.all_types else sorted(kind.code for kind in self.types),
            "categories": None if self.all_types else sorted(set(self.categories)),
            "governorates": None if self.all_governorates else sorted(zone.code for zone in self.governorates),
            "parts": [part for part in Part.values if part in self.parts],
            "precision": str(self.precision),
            "occurred_from": self.occurred_from.isoformat() if self.occurred_from else None,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
        }


def terms_of(agreement: SharingAgreement) -> AgreementTerms:
    names = [name for name in AgreementTerms.__dataclass_fields__ if name not in {"types", "governorates"}]
    return AgreementTerms(
        **{name: getattr(agreement, name) for name in names},
        types=list(agreement.types.all()),
        governorates=list(agreement.governorates.all()),
    )


@transaction.atomic
def propose_agreement(*, terms: AgreementTerms, by: User) -> SharingAgreement:
    """Written down by either side, or by a super administrator; signed by nobody yet."""
    _require_writer(by, terms.giver, terms.receiver)
    _judge(terms)
    agreement = SharingAgreement.objects.create(**terms.columns(), created_by=by)
    agreement.types.set(terms.types)
    agreement.governorates.set(terms.governorates)
    _keep(agreement, terms, by)
    audit.record("sharing.propose", obj=agreement, by=by, after=terms.plain())
    _announce(events.SHARING_PROPOSED, agreement)
    return agreement


@transaction.atomic
def change_agreement(*, agreement: SharingAgreement, terms: AgreementTerms, by: User) -> SharingAgreement:
    """New terms: both sign again, and until they have, nothing is read through it. Who shares with whom stays."""
    row = _locked(agreement, by)
    _require_writer(by, row.giver, row.receiver)
    if (terms.giver.pk, terms.receiver.pk) != (row.giver_id, row.receiver_id):
        raise Invalid(_("Who shares with whom does not change: propose another agreement."), fields={"giver": _("This stays as it is.")})
    if row.state == State.REVOKED:
        raise Conflict(_("This agreement is revoked: propose another."))
    before = terms_of(row).plain()
    if before == terms.plain():
        return row
    _judge(terms, begun_at=row.starts_at)
    for name, value in terms.columns().items():
        setattr(row, name, value)
    row.version, row.state = row.version + 1, State.PROPOSED
    row.save(update_fields=[*terms.columns(), "version", "state", "changed_at"])
    row.types.set(terms.types)
    row.governorates.set(terms.governorates)
    _keep(row, terms, by)
    audit.record("sharing.change", obj=row, by=by, before=before, after=terms.plain())
    _announce(events.SHARING_CHANGED, row)
    return row


@transaction.atomic
def sign_agreement(*, agreement: SharingAgreement, version: int, by: User) -> SharingAgreement:
    """One side's signature, for the agency the person works for, on the ``version`` they read. The second puts it into force."""
    row = _locked(agreement, by)
    side = side_of(row, by)
    if side is None or not by.can("share"):
        raise NotAllowed(_("Only those who may share for one of the two agencies sign."))
    if side == Side.GIVER and not _gives_what_they_see(row, by):
        raise NotAllowed(_("You sign for the governorates you see, and this agreement gives others too."))
    if row.state == State.REVOKED:
        raise Conflict(_("This agreement is revoked: propose another."))
    if row.ends_at <= timezone.now():
        raise Conflict(_("Its time is over."))
    if version != row.version:
        raise Conflict(_("It was changed meanwhile: read it again before you sign."))
    if row.signatures.filter(version=row.version, side=side).exists():
        raise Conflict(_("This side has signed already."))
    try:
        with transaction.atomic():
            Signature.objects.create(agreement=row, version=row.version, side=side, by=by)
    except IntegrityError as error:
        raise Conflict(_("One person does not sign for both sides.")) from error
    audit.record("sharing.sign", obj=row, by=by, after={"version": row.version, "side": side})
    if row.signatures.filter(version=row.version).count() == len(Side):
        row.state = State.IN_FORCE
        row.save(update_fields=["state", "changed_at"])
        _announce(events.SHARING_AGREED, row)
    return row


@transaction.atomic
def revoke_agreement(*, agreement: SharingAgreement, by: User, reason: str) -> SharingAgreement:
    """Ended by either side alone, at once and for good."""
    row = _locked(agreement, by)
    _require_writer(by, row.giver, row.receiver)
    if not 1 <= len(reason.strip()) <= MAX_REASON:
        raise Invalid(_("Say why."), fields={"reason": _("1 to %(limit)d characters.") % {"limit": MAX_REASON}})
    if row.state == State.REVOKED:
        raise Conflict(_("It is revoked already."))
    row.state, row.revoked_at, row.revoked_by, row.revoked_because = State.REVOKED, timezone.now(), by, reason.strip()
    row.save(update_fields=["state", "revoked_at", "revoked_by", "revoked_because", "changed_at"])
    audit.record("sharing.revoke", obj=row, by=by, after={"version": row.version}, reason=reason.strip())
    _announce(events.SHARING_REVOKED, row)
    return row


def side_of(agreement: SharingAgreement, person: User) -> str | None:
    """The side a person signs for: the agency they work for, not one they merely see."""
    if person.agency_id is None:
        return None
    sides = {agreement.giver_id: Side.GIVER.value, agreement.receiver_id: Side.RECEIVER.value}
    return sides.get(person.agency_id)


def may_sign(agreement: SharingAgreement, person: User) -> bool:
    side = side_of(agreement, person)
    is_open = agreement.state == State.PROPOSED and agreement.ends_at > timezone.now()
    if not is_open or side is None or not person.can("share"):
        return False
    signed = agreement.signatures.filter(version=agreement.version)
    if signed.filter(side=side).exists() or signed.filter(by=person).exists():
        return False
    return side == Side.RECEIVER or _gives_what_they_see(agreement, person)


def may_write(agreement: SharingAgreement, person: User) -> bool:
    """Whether they may change or revoke it."""
    return agreement.state != State.REVOKED and _writes_for(person, agreement.giver, agreement.receiver)


# --- what these stand on -------------------------------------------------------------------------------------------------------------


def _locked(agreement: SharingAgreement, by: User) -> SharingAgreement:
    rows = SharingAgreement.objects.visible_to(by).select_for_update(of=("self",)).select_related("giver", "receiver", "partner")
    row = rows.filter(pk=agreement.pk).first()
    if row is None:
        raise NotFound(_("There is no such agreement."))
    return row


def _writes_for(by: User, *agencies: Agency) -> bool:
    return by.can("share") and (by.is_superuser or by.agency_id in {agency.pk for agency in agencies})


def _require_writer(by: User, *agencies: Agency) -> None:
    if not _writes_for(by, *agencies):
        raise NotAllowed(_("Only those who may share for one of the two agencies do this."))


def _gives_what_they_see(agreement: SharingAgreement, by: User) -> bool:
    seen = by.jurisdiction.governorate_ids
    if seen is None:
        return True
    return not agreement.all_governorates and set(agreement.governorates.values_list("pk", flat=True)) <= seen


def _judge(terms: AgreementTerms, *, begun_at: datetime | None = None) -> None:
    problems: dict[str, str] = {}
    if not 1 <= len(terms.title.strip()) <= 120:
        problems["title"] = _("1 to %(limit)d characters.") % {"limit": 120}
    if not 1 <= len(terms.purpose.strip()) <= 2_000:
        problems["purpose"] = _("1 to %(limit)d characters.") % {"limit": 2_000}
    if terms.giver.pk == terms.receiver.pk:
        problems["receiver"] = _("An agency shares with another, not with itself.")
    if terms.partner is not None and terms.partner.agency_id != terms.receiver.pk:
        problems["partner"] = _("Choose a system of the agency that receives.")
    if bool(list(terms.types) or terms.categories) == terms.all_types:
        problems["types"] = _("Name types or categories, or choose every type.")
    if set(terms.categories) - set(IncidentType.objects.values_list("category", flat=True)):
        problems["categories"] = _("Choose at least one of the list.")
    if bool(list(terms.governorates)) == terms.all_governorates:
        problems["governorates"] = _("Name the governorates, or choose every governorate.")
    elif any(zone.level != Zone.Level.GOVERNORATE for zone in terms.governorates):
        problems["governorates"] = _("Choose governorates.")
    if set(terms.parts) - set(Part.values):
        problems["parts"] = _("Choose at least one of the list.")
    if terms.precision not in Precision.values:
        problems["precision"] = _("Choose at least one of the list.")
    elif terms.precision != Precision.EXACT and set(terms.parts) & set(EXACT_ONLY):
        problems["parts"] = _("Addresses and descriptions say where: they are told with exact places only.")
    if not terms.starts_at < terms.ends_at <= terms.starts_at + LONGEST:
        problems["ends_at"] = _("It ends after it begins, within 366 days.")
    elif terms.ends_at <= timezone.now():
        problems["ends_at"] = _("This time has passed.")
    if problems:
        raise Invalid(_("The agreement cannot be kept so."), fields=problems)


def _keep(agreement: SharingAgreement, terms: AgreementTerms, by: User) -> None:
    AgreementVersion.objects.create(agreement=agreement, version=agreement.version, terms=terms.plain(), written_by=by)


def _announce(verb: str, agreement: SharingAgreement) -> None:
    data = {
        "agreement": agreement.pk,
        "version": agreement.version,
        "title": agreement.title,
        "giver": agreement.giver.slug,
        "receiver": agreement.receiver.slug,
    }
    publish(verb, subject=agreement, agency_id=agreement.giver_id, data=data)
