"""An anomaly in one sentence: the value, what it is held against, and for how long. In the active language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from iot.models import Anomaly, Detector
from iot.models.profiles import in_language


def plain(number: Any) -> str:
    """As few digits as say it: 52, 4.27, 0.0031."""
    if not isinstance(number, int | float):
        return "–"
    return f"{number:.4g}" if abs(number) < 10_000 else f"{number:,.0f}"


def measured(number: Any, unit: str) -> str:
    return f"{plain(number)} {unit}".strip()


def span(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return "–"
    if seconds < 90:
        return _("%(n)s s") % {"n": round(seconds)}
    if seconds < 90 * 60:
        return _("%(n)s min") % {"n": round(seconds / 60)}
    return (
        _("%(n)s h") % {"n": plain(round(seconds / 3600, 1))} if seconds < 72 * 3600 else _("%(n)s days") % {"n": round(seconds / 86_400)}
    )


def standing_out(anomaly: Anomaly) -> list[str]:
    """What stands out in an hour that the forest finds odd, in sentences, what matters most first."""
    unit, sentences = str(anomaly.evidence.get("unit", "")), []
    for one in anomaly.evidence.get("features", []):
        text = {
            "level": _("Its level is %(value)s, where this hour is usually %(expected)s: %(times)s times as far out as is usual."),
            "swing": _("It moves by %(value)s within an hour, usually by %(expected)s: %(times)s times as far out as is usual."),
            "change": _(
                "From one hour to the next it changes by %(value)s, usually by %(expected)s: %(times)s times as far out as is usual."
            ),
        }.get(one.get("what"))
        if text is not None:
            times = one.get("times")
            sentences.append(
                text % {
                    "value": measured(one.get("value"), unit), "expected": measured(one.get("expected"), unit),
                    "times": plain(round(abs(times), 1)) if isinstance(times, int | float) else "–",
                }
            )  # fmt: skip
    return sentences


def why(anomaly: Anomaly) -> str:
    """ "54 °C: its upper limit is 50 °C." """
    said, unit = anomaly.evidence, str(anomaly.evidence.get("unit", ""))
    value, expected = measured(said.get("value"), unit), measured(said.get("expected"), unit)
    match anomaly.detector:
        case Detector.THRESHOLD:
            limit = measured(said.get("limit"), unit)
            if said.get("is_range"):
                return _("%(value)s: outside what this sensor can measure (%(limit)s).") % {"value": value, "limit": limit}
            text = (
                _("%(value)s: its upper limit is %(limit)s.")
                if said.get("side") != "low"
                else _("%(value)s: its lower limit is %(limit)s.")
            )
            return text % {"value": value, "limit": limit}
        case Detector.RATE:
            return _("From %(expected)s to %(value)s: it changes by %(most)s a minute at the most.") % {
                "expected": expected, "value": value, "most": measured(said.get("most_per_minute"), unit),
            }  # fmt: skip
        case Detector.ROBUST:
            return _("%(value)s, where its last readings made one expect about %(expected)s.") % {"value": value, "expected": expected}
        case Detector.SEASONAL:
            return _("%(value)s; at this hour of the week it is usually about %(expected)s.") % {"value": value, "expected": expected}
        case Detector.DRIFT:
            return _("Its days have moved away from the level learnt, %(expected)s; it now says %(value)s.") % {
                "value": value, "expected": expected,
            }  # fmt: skip
        case Detector.STUCK:
            return _("%(value)s without a change for %(span)s; more than %(most)s is doubted.") % {
                "value": value, "span": span(said.get("for_s")), "most": span(said.get("after_s")),
            }  # fmt: skip
        case Detector.GAP:
            return _("No reading for %(span)s; it speaks every %(cadence)s.") % {
                "span": span(said.get("for_s")), "cadence": span(said.get("cadence_s")),
            }  # fmt: skip
        case Detector.ISOLATION:
            return " ".join(standing_out(anomaly)) or _("An hour unlike those of other devices of its profile.")
        case Detector.NEIGHBOURS:
            text = ngettext(
                "%(value)s, where %(n)s neighbour within %(km)s km makes one expect %(expected)s: they say %(median)s ± %(spread)s.",
                "%(value)s, where %(n)s neighbours within %(km)s km make one expect %(expected)s: they say %(median)s ± %(spread)s.",
                said.get("neighbours") or 0,
            )
            return text % {
                "value": value, "expected": expected, "n": said.get("neighbours") or 0, "median": measured(said.get("median"), unit),
                "spread": measured(said.get("spread"), unit), "km": plain((said.get("within_m") or 0) / 1000),
            }  # fmt: skip
        case Detector.RULE:
            values = ", ".join(f"{name} {plain(number)}" for name, number in said.get("values", {}).items())
            rule = in_language(str(said.get("rule_en", "")), str(said.get("rule_ar", "")))
            return _("The rule “%(rule)s” holds: %(values)s.") % {"rule": rule, "values": values}
        case Detector.MANY:
            text = ngettext("%(n)s anomaly within an hour.", "%(n)s anomalies, one after the other.", anomaly.count)
            return text % {"n": anomaly.count}
    return ""
