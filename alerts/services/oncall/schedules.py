"""Making and changing a schedule with its layers: judged whole, replaced whole, and only on the version that was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Agency
from alerts import events
from alerts.models import LayerMember, OnCallLayer, OnCallSchedule
from alerts.permissions import Actor, require
from alerts.services.oncall.reading import with_people
from alerts.services.oncall.rights import check_people
from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from geography.models import Zone

MOST_LAYERS = 10
MOST_PEOPLE = 60
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True)
class LayerGiven:
    """A layer as it is asked for; those given first are the lower ones. ``people`` are ids of accounts, in their order."""

    starts_on: date
    handover_at: time
    people: tuple[int, ...]
    name: str = ""
    rotation: str = OnCallLayer.Rotation.WEEKLY
    every: int = 1
    ends_on: date | None = None
    only_from: time | None = None
    only_to: time | None = None
    only_weekdays: tuple[int, ...] = field(default_factory=tuple)


@transaction.atomic
def make_schedule(
    *,
    by: Actor | None,
    code: str,
    name_en: str,
    name_ar: str,
    agency: Agency,
    governorate: Zone | None = None,
    time_zone: str = "Asia/Kuwait",
    layers: Sequence[LayerGiven] = (),
    is_synthetic: bool = False,
) -> OnCallSchedule:
    """A new schedule. Its layers are judged as in ``change_schedule``; one without layers is a hole, and is shown as one."""
    schedule = OnCallSchedule(agency=agency, governorate=governorate, is_synthetic=is_synthetic)
    require(by, "manage_oncall", schedule)
    _name(schedule, {"code": code, "name_en": name_en, "name_ar": name_ar, "time_zone": time_zone})
    if OnCallSchedule.objects.filter(code=schedule.code).exists():
        message = _("There is a schedule of this code already.")
        raise Conflict(message, fields={"code": message})
    check_layers(schedule, layers)
    schedule.save(force_insert=True)
    _write_layers(schedule, layers)
    _announce(schedule, "oncallschedule.add", by, before=None)
    return schedule


@transaction.atomic
def change_schedule(
    *, schedule: OnCallSchedule, by: Actor | None, layers: Sequence[LayerGiven] | None = None, version: int | None = None, **changes: Any
) -> OnCallSchedule:
    """Change names, place, clock, use or layers. ``version`` is the one that was looked at; another in the meantime is a ``Conflict``."""
    locked = OnCallSchedule.objects.select_for_update().get(pk=schedule.pk)
    require(by, "manage_oncall", locked)
    if version is not None and locked.version != version:
        raise Conflict(_("Somebody changed this schedule in the meantime. Look at it again."))
    before = as_plain(locked)
    if "governorate" in changes:
        locked.governorate = changes.pop("governorate")
        require(by, "manage_oncall", locked)
    if "is_active" in changes:
        locked.is_active = bool(changes.pop("is_active"))
    _name(locked, changes)
    if layers is not None:
        check_layers(locked, layers)
    locked.version += 1
    locked.save(update_fields=["name_en", "name_ar", "time_zone", "governorate", "is_active", "version"])
    if layers is not None:
        _write_layers(locked, layers)
    _announce(locked, "oncallschedule.change", by, before=before)
    schedule.__dict__.update(locked.__dict__)
    return schedule


def check_layers(schedule: OnCallSchedule, layers: Sequence[LayerGiven]) -> None:
    """Refuse, each with the field it is about (``layers.0.people``): nobody in it, an end before the start, hours of no length."""
    if len(layers) > MOST_LAYERS:
        message = _("At most %(n)d layers.") % {"n": MOST_LAYERS}
        raise Invalid(message, fields={"layers": message})
    for number, layer in enumerate(layers):
        for name, message in _complaints(layer):
            raise Invalid(_("Layer %(n)d: %(what)s") % {"n": number + 1, "what": message}, fields={f"layers.{number}.{name}": message})
        check_people(schedule, layer.people, field=f"layers.{number}.people")


def as_plain(schedule: OnCallSchedule) -> dict[str, Any]:
    """The whole schedule as the audit trail keeps it."""
    layers = [
        {
            "name": layer.name, "rotation": layer.rotation, "every": layer.every, "starts_on": layer.starts_on.isoformat(),
            "ends_on": layer.ends_on.isoformat() if layer.ends_on else None, "handover_at": f"{layer.handover_at:%H:%M}",
            "only_from": f"{layer.only_from:%H:%M}" if layer.only_from else None,
            "only_to": f"{layer.only_to:%H:%M}" if layer.only_to else None, "only_weekdays": list(layer.only_weekdays),
            "people": [member.user_id for member in layer.members.all()],
        }
        for layer in with_people(schedule)
    ]  # fmt: skip
    return {
        "code": schedule.code, "name_en": schedule.name_en, "name_ar": schedule.name_ar, "time_zone": schedule.time_zone,
        "governorate": schedule.governorate_id, "is_active": schedule.is_active, "version": schedule.version, "layers": layers,
    }  # fmt: skip


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _name(schedule: OnCallSchedule, given: dict[str, Any]) -> None:
    unknown = set(given) - {"code", "name_en", "name_ar", "time_zone"}
    if unknown:
        raise Invalid(_("%(name)s cannot be changed.") % {"name": sorted(unknown)[0]}, fields=dict.fromkeys(unknown, _("Unknown.")))
    for name in ("name_en", "name_ar"):
        if name in given:
            text = " ".join(str(given[name]).split())
            if not text or len(text) > 120:
                raise Invalid(_("A schedule has a name in both languages."), fields={name: _("From 1 to 120 characters.")})
            setattr(schedule, name, text)
    if "code" in given:
        try:
            validate_slug(given["code"])
        except ValidationError as error:
            raise Invalid(_("A code has letters, digits, hyphens."), fields={"code": _("A code has letters, digits, hyphens.")}) from error
        schedule.code = str(given["code"])[:64]
    if "time_zone" in given:
        schedule.time_zone = _zone(given["time_zone"])


def _zone(name: str) -> str:
    message = _("There is no such time zone.")
    if name not in available_timezones():
        raise Invalid(message, fields={"time_zone": message})
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise Invalid(message, fields={"time_zone": message}) from error
    return name


def _complaints(layer: LayerGiven) -> list[tuple[str, str]]:
    found = []
    if not layer.people:
        found.append(("people", _("There is nobody in it.")))
    if len(layer.people) > MOST_PEOPLE:
        found.append(("people", _("At most %(n)d people.") % {"n": MOST_PEOPLE}))
    if layer.rotation not in OnCallLayer.Rotation.values:
        found.append(("rotation", _("Unknown.")))
    if not 1 <= layer.every <= 366:
        found.append(("every", _("At least 1, at most 366.")))
    if not FIRST_DAY <= layer.starts_on <= LAST_DAY:
        found.append(("starts_on", _("A day between 2000 and 2100.")))
    if layer.ends_on is not None and not layer.starts_on <= layer.ends_on <= LAST_DAY:
        found.append(("ends_on", _("It ends before it begins.")))
    if layer.only_from is not None and layer.only_from == layer.only_to:
        found.append(("only_to", _("From and to are the same: leave both empty for the whole day.")))
    if any(not 0 <= day <= 6 for day in layer.only_weekdays):
        found.append(("only_weekdays", _("Weekdays are 0 (Monday) to 6 (Sunday).")))
    if len(layer.name) > 80:
        found.append(("name", _("At most %(limit)d characters.") % {"limit": 80}))
    return found


def _write_layers(schedule: OnCallSchedule, layers: Sequence[LayerGiven]) -> None:
    OnCallLayer.objects.filter(schedule=schedule).delete()
    for number, given in enumerate(layers):
        columns = {name: value for name, value in asdict(given).items() if name != "people"}
        columns["only_weekdays"] = sorted(set(given.only_weekdays))
        layer = OnCallLayer.objects.create(schedule=schedule, position=number + 1, **columns)
        LayerMember.objects.bulk_create(
            LayerMember(layer=layer, position=place + 1, user_id=user_id) for place, user_id in enumerate(given.people)
        )


def _announce(schedule: OnCallSchedule, verb: str, by: Actor | None, *, before: dict[str, Any] | None) -> None:
    audit.record(verb, obj=schedule, by=by, before=before, after=as_plain(schedule))
    announce(schedule, "layers")


def announce(schedule: OnCallSchedule, what: str) -> None:
    publish(
        events.ONCALL_CHANGED, subject=schedule, data={"schedule": schedule.pk, "what": what}, agency_id=schedule.agency_id,
        governorate_id=schedule.governorate_id,
    )  # fmt: skip
