"""The words rules are written in: events by name, zones, types and agencies by code, and how each is said to people."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from alerts.models import SpecialPeriod
from geography.models import Zone
from incidents.categories import category_name
from incidents.models import IncidentType
from incidents.vocabulary import CATEGORIES

# What a rule may hear, in words that complete "When …". What the sensors and cameras announce is named here before they do.
EVENTS: dict[str, Promise | str] = {
    "incident.opened": _("an incident is reported"),
    "incident.moved": _("an incident's state changes"),
    "incident.reported_again": _("an incident is reported again"),
    "import.finished": _("an import is finished"),
    "pipeline.failed": _("a step of the analytics fails"),
    "pipeline.late": _("a night's analytics are late"),
    "pipeline.finished": _("a run of the analytics is finished"),
    "hot_spot.changed": _("a hot spot changes"),
    "near_repeat.raised": _("a near repeat is found"),
    "model.switched": _("a model is switched on or off"),
    "predictions.scored": _("predictions have been scored"),
    "sos.raised": _("an officer calls for help (SOS)"),
    "sos.repeated": _("an officer calls for help again (SOS)"),
    "sos.duress": _("an officer signals duress"),
    "sos.code_refused": _("a wrong code is given to end an SOS"),
    "sos.acknowledged": _("an SOS is acknowledged"),
    "sos.withdrawn": _("an SOS is withdrawn"),
    "sos.ended": _("an SOS is ended"),
    "welfare.warned": _("a welfare check is about to be missed"),
    "welfare.missed": _("a welfare check is missed"),
    "welfare.answered": _("a welfare check is answered"),
    "positions.silent": _("a unit on duty is not heard from"),
    "vehicle.out_of_service": _("a vehicle goes out of service"),
    "vehicle.back_in_service": _("a vehicle is back in service"),
    "assignment.closed_by_time": _("work is closed by time"),
    "dispatch.advised": _("dispatch advice is given"),
    "fence.entered": _("a unit enters a fence"),
    "fence.left": _("a unit leaves a fence"),
    "road.closed": _("a road is closed"),
    "road.opened": _("a road is opened again"),
    "aid.requested": _("mutual aid is requested"),
    "shift_pack.unsigned": _("a shift's pack has not been signed"),
    "duty.started": _("somebody goes on duty"),
    "duty.ended": _("somebody goes off duty"),
    "feed.silent": _("a feed goes silent"),
    "feed.back": _("a feed is back"),
    "system.down": _("an external system does not answer"),
    "system.up": _("an external system answers again"),
    "sharing.agreed": _("a sharing agreement is signed by both"),
    "sharing.revoked": _("a sharing agreement is revoked"),
    "anomaly.raised": _("a sensor shows an anomaly"),
    "anomaly.worsened": _("a sensor's anomaly becomes more severe"),
    "anomaly.acknowledged": _("a sensor's anomaly is acknowledged"),
    "anomaly.resolved": _("a sensor's anomaly is over"),
    "sensor_rule.fired": _("a sensor rule holds"),
    "sensor_rule.over": _("a sensor rule holds no more"),
    "incident.drafted": _("the draft of an incident waits for a person"),
    "camera.offline": _("a camera goes offline"),
    "camera.back": _("a camera is back"),
    "device.offline": _("a device goes offline"),
    "device.online": _("a device is back"),
    "devices.offline": _("many devices go offline at once"),
    "device.flapping": _("a device comes and goes"),
}


def event_words(name: str) -> str:
    return str(EVENTS.get(name, name))


def known_types() -> set[str]:
    return set(IncidentType.objects.values_list("code", flat=True))


def known_categories() -> set[str]:
    return {*CATEGORIES, *IncidentType.objects.values_list("category", flat=True).distinct()}


def known_agencies() -> set[str]:
    return set(Agency.objects.values_list("slug", flat=True))


def known_governorates() -> set[str]:
    return set(Zone.objects.filter(level=Zone.Level.GOVERNORATE, is_active=True).values_list("code", flat=True))


def missing_zones(codes: Iterable[str]) -> list[str]:
    """Those that no active zone has."""
    wanted = list(codes)
    found = set(Zone.objects.filter(code__in=wanted, is_active=True).values_list("code", flat=True)) if wanted else set()
    return [code for code in wanted if code not in found]


def known_period_kinds() -> set[str]:
    return set(SpecialPeriod.objects.values_list("kind", flat=True))


def zone_names(codes: Iterable[str], *, level: str = "") -> list[str]:
    """In the active language, in the order given; a code nobody knows as it is."""
    wanted = list(codes)
    if not wanted:
        return []
    rows = Zone.objects.filter(code__in=wanted)
    names = _names(dict_of(rows.filter(level=level) if level else rows, "code"))
    return [names.get(code, code) for code in wanted]


def type_names(codes: Iterable[str]) -> list[str]:
    wanted = list(codes)
    names = _names(dict_of(IncidentType.objects.filter(code__in=wanted), "code")) if wanted else {}
    return [names.get(code, code) for code in wanted]


def agency_names(slugs: Iterable[str]) -> list[str]:
    wanted = list(slugs)
    names = _names(dict_of(Agency.objects.filter(slug__in=wanted), "slug")) if wanted else {}
    return [names.get(slug, slug) for slug in wanted]


def category_names(slugs: Iterable[str]) -> list[str]:
    return [category_name(slug) for slug in slugs]


def period_name(kind: str) -> str:
    return str(_PERIODS.get(kind, kind))


def dict_of(rows: object, key: str) -> dict[str, tuple[str, str]]:
    return {code: (en, ar) for code, en, ar in rows.values_list(key, "name_en", "name_ar")}  # type: ignore[attr-defined]


def _names(rows: dict[str, tuple[str, str]]) -> dict[str, str]:
    arabic = (get_language() or "").startswith("ar")
    return {code: (ar or en) if arabic else en for code, (en, ar) in rows.items()}


_PERIODS: dict[str, Promise] = {
    "ramadan": _("Ramadan"),
    "holiday": _("a public holiday"),
    "event": _("a big event"),
}
