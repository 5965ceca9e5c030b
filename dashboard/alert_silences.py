"""Silences in words: what must hold, how far one reaches, and what it quiets now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from alerts.models import Alert, AlertRule, Level, Silence
from alerts.permissions import may
from geography.models import Zone
from incidents.categories import category_name
from incidents.models import IncidentType

PAST = 50
_FIELDS = {
    "rule": lambda: _("rule"),
    "kind": lambda: _("kind"),
    "level": lambda: _("level"),
    "source": lambda: _("source"),
    "agency": lambda: _("agency"),
    "governorate": lambda: _("governorate"),
    "zone": lambda: _("area"),
    "type": lambda: _("incident type"),
    "category": lambda: _("category"),
}


@dataclass(frozen=True)
class Row:
    silence: Silence
    words: list[str]
    quiets: int
    state: str  # "now", "later", "over"
    may_end: bool


class Names:
    """The names of what matchers compare with, read once for all of them."""

    def __init__(self, silences: list[Silence]) -> None:
        wanted: dict[str, set[str]] = {}
        for silence in silences:
            for matcher in silence.matchers if isinstance(silence.matchers, list) else []:
                for value in _values(matcher):
                    wanted.setdefault(str(matcher.get("field")), set()).add(value)
        zones = wanted.get("zone", set()) | wanted.get("governorate", set())
        self.known: dict[str, dict[str, str]] = {
            "rule": {rule.code: rule.name for rule in AlertRule.objects.filter(code__in=wanted.get("rule", ()))},
            "type": {kind.code: kind.name for kind in IncidentType.objects.filter(code__in=wanted.get("type", ()))},
            "agency": {agency.slug: agency.name for agency in Agency.objects.filter(slug__in=wanted.get("agency", ()))},
            "zone": {zone.code: zone.name for zone in Zone.objects.filter(code__in=zones).defer("boundary")},
            "level": {str(level.value): str(level.label) for level in Level},
            "kind": {str(kind.value): str(kind.label) for kind in Alert.Kind},
            "source": {str(source.value): str(source.label) for source in AlertRule.Source},
            "category": {value: str(category_name(value)) for value in wanted.get("category", ())},
        }
        self.known["governorate"] = self.known["zone"]

    def of(self, matcher: dict[str, Any]) -> str:
        name = str(matcher.get("field"))
        label = _FIELDS[name]() if name in _FIELDS else name
        values = [self.known.get(name, {}).get(value, value) for value in _values(matcher)]
        text = _(", ").join(values)
        if "not" in matcher:
            return _("%(field)s is not %(values)s") % {"field": label, "values": text}
        if "like" in matcher:
            return _("%(field)s like %(values)s") % {"field": label, "values": text}
        return _("%(field)s: %(values)s") % {"field": label, "values": text}


def _values(matcher: Any) -> list[str]:
    if not isinstance(matcher, dict):
        return []
    found: list[str] = []
    for name in ("is", "in", "not", "like"):
        value = matcher.get(name)
        found += [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []
    return found


def rows_of(user: User) -> tuple[list[Row], list[Row]]:
    """Those in force or to come, the one that ends first on top; and the latest that are over."""
    now = timezone.now()
    mine = Silence.objects.visible_to(user).select_related("agency", "governorate", "created_by", "ended_by").defer("governorate__boundary")
    standing = list(mine.filter(ends_at__gt=now).order_by("ends_at", "pk"))
    over = list(mine.filter(ends_at__lte=now).order_by("-ends_at", "-pk")[:PAST])
    names = Names([*standing, *over])
    quiets: dict[int, int] = {}
    for pk in Alert.objects.visible_to(user).open().filter(silenced_by__in=standing).values_list("silenced_by", flat=True):
        if pk is not None:
            quiets[pk] = quiets.get(pk, 0) + 1

    def row(silence: Silence) -> Row:
        state = "over" if silence.ends_at <= now else "now" if silence.starts_at <= now else "later"
        words = [names.of(matcher) for matcher in silence.matchers]
        return Row(silence, words, quiets.get(silence.pk, 0), state, state != "over" and may(user, "manage_alerts", silence))

    return [row(silence) for silence in standing], [row(silence) for silence in over]
