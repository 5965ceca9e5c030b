"""The handover pack in words: the same sections on the page, on paper and in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts.models import AlertState, Level
from core import pdf
from core.version import code_version
from incidents.lifecycle import State as IncidentState
from patrol.models import AssignmentState, ShiftPack, UnitKind
from patrol.models.force import in_language
from patrol.services.packs import SECTIONS, content_hash
from patrol.services.units import UnitStatus

TITLES = {
    "identity": gettext_lazy("Identity"),
    "situation": gettext_lazy("Situation"),
    "background": gettext_lazy("Background of the shift"),
    "assessment": gettext_lazy("Assessment: units, outages, plan"),
    "requests": gettext_lazy("To be done"),
    "safety": gettext_lazy("Safety"),
    "questions": gettext_lazy("Questions and agreements"),
}


@dataclass
class Table:
    heads: list[str]
    rows: list[list[str]]


@dataclass
class Section:
    name: str
    title: str
    lines: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    note: str = ""
    is_changed: bool = False


def sections_of(pack: ShiftPack) -> list[Section]:
    changed = pack.facts.get("changed", [])
    found = []
    for name in SECTIONS:
        section = Section(name, str(TITLES[name]), note=pack.notes.get(name, ""), is_changed=name in changed)
        facts = pack.facts.get(name) or {}
        if facts:
            _FILL[name](section, facts)
        found.append(section)
    return found


def when(iso: str | None) -> str:
    at = parse_datetime(iso) if iso else None
    return _clock(at) if at is not None else _("unknown")


def _clock(at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{date_format(local, 'j M')} {local:%H:%M}"


def _named(pair: list[str] | None) -> str:
    return in_language(*pair) if pair else _("unknown")


def _label(choices: Any, value: str) -> str:
    return str(choices(value).label) if value in choices.values else value


def _identity(section: Section, facts: dict[str, Any]) -> None:
    section.lines = [
        f"{_named(facts['agency'])} · {_named(facts['governorate'])}",
        _("Shift from %(start)s to %(end)s") % {"start": when(facts["from"]), "end": when(facts["to"])},
    ]


def _situation(section: Section, facts: dict[str, Any]) -> None:
    n = facts["open_incidents"]
    section.lines.append(ngettext("%(n)d open incident.", "%(n)d open incidents.", n) % {"n": n} if n else _("No open incident."))
    if facts["incidents"]:
        rows = [
            [
                one["ref"],
                _named(one["type"]),
                f"P{one['priority']}",
                _label(IncidentState, one["state"]),
                _named(one["area"]),
                when(one["since"]),
            ]
            for one in facts["incidents"]
        ]
        section.tables.append(Table([_("Reference"), _("Type"), _("Priority"), _("State"), _("Area"), _("Since")], rows))
    _cut(section, len(facts["incidents"]), n)


def _cut(section: Section, shown: int, total: int) -> None:
    if shown < total:
        section.lines.append(_("The %(shown)d most urgent of %(total)d are listed.") % {"shown": shown, "total": total})


def _background(section: Section, facts: dict[str, Any]) -> None:
    n = facts["opened"]
    section.lines.append(ngettext("%(n)d incident happened in the shift.", "%(n)d incidents happened in the shift.", n) % {"n": n})
    for state, count in facts["work_ended"].items():
        section.lines.append(_("Assignments ended as “%(state)s”: %(n)d") % {"state": _label(AssignmentState, state), "n": count})
    for call in facts["calls_ended"]:
        how = _("withdrawn by its caller") if call["withdrawn"] and not call["outcome"] else call["outcome"]
        section.lines.append(_("Call for help of %(who)s: %(how)s") % {"who": call["call_sign"] or call["call"], "how": how})


def _assessment(section: Section, facts: dict[str, Any]) -> None:
    for state, count in facts["units_by_state"].items():
        section.lines.append(_("Units, %(state)s: %(n)d") % {"state": _label(UnitStatus, state), "n": count})
    if facts["units"]:
        rows = [
            [one["call_sign"], _label(UnitKind, one["kind"]), _label(UnitStatus, one["state"]), when(one["since"]), str(one["work"])]
            for one in facts["units"]
        ]
        section.tables.append(Table([_("Unit"), _("Kind"), _("State"), _("Since"), _("Work")], rows))
    silent = facts["silent_positions"]
    if silent:
        section.lines.append(
            _("On duty without a fresh position: %(which)s")
            % {"which": ", ".join(f"{one['call_sign']} ({when(one['last'])})" if one["last"] else one["call_sign"] for one in silent)}
        )
    if facts["failed_imports"]:
        section.lines.append(_("Imports that failed: %(which)s") % {"which": ", ".join(facts["failed_imports"])})
    if facts["failed_runs"]:
        section.lines.append(_("Analyses that failed: %(which)s") % {"which": ", ".join(facts["failed_runs"])})
    if not (silent or facts["failed_imports"] or facts["failed_runs"]):
        section.lines.append(_("No outage is known."))
    plan = facts["plan"]
    if plan is None:
        section.lines.append(_("No patrol plan is published for this shift."))
    else:
        told = {"version": plan["version"], "reached": plan["stops_reached"], "past": plan["stops_past"], "stops": plan["stops"]}
        said = _("Patrol plan, version %(version)d: %(reached)d of %(past)d stops that are past were reached, %(stops)d in all.")
        section.lines.append(said % told)
    section.lines.append(_("The next shift has a published plan.") if facts["next_plan"] else _("The next shift has no published plan."))


def _requests(section: Section, facts: dict[str, Any]) -> None:
    n = facts["open_work"]
    said = ngettext("%(n)d assignment is open.", "%(n)d assignments are open.", n) % {"n": n}
    section.lines.append(said if n else _("No assignment is open."))
    if facts["work"]:
        rows = [
            [
                one["call_sign"],
                one["what"],
                _label(AssignmentState, one["state"]),
                when(one["since"]),
                when(one["due"]) if one["due"] else "–",
            ]
            for one in facts["work"]
        ]
        section.tables.append(Table([_("Unit"), _("What"), _("State"), _("Since"), _("Due")], rows))
    section.lines.append(
        _("On the roster of the next shift: %(people)d people, %(units)d units.")
        % {"people": facts["next_people"], "units": facts["next_units"]}
    )
    if facts["next_unmanned"]:
        section.lines.append(_("Units without anybody on that roster: %(which)s") % {"which": ", ".join(facts["next_unmanned"])})
    if facts["aid_waiting"]:
        section.lines.append(_("Requests for aid without an answer: %(n)d") % {"n": facts["aid_waiting"]})
    if "alerts_open" in facts:  # packs made before there were alerts say nothing of them
        _alerts(section, facts)


def _alerts(section: Section, facts: dict[str, Any]) -> None:
    n = facts["alerts_open"]
    section.lines.append(ngettext("%(n)d alert is open.", "%(n)d alerts are open.", n) % {"n": n} if n else _("No alert is open."))
    if facts["alerts"]:
        rows = [
            [
                f"#{one['id']}",
                _named(one["title"]),
                _label(Level, one["level"]),
                _("quiet until %(t)s") % {"t": when(one["quiet_until"])} if one["quiet_until"] else _label(AlertState, one["state"]),
                one["by"] or "–",
                when(one["since"]),
            ]
            for one in facts["alerts"]
        ]
        section.tables.append(Table([_("Alert"), _("What"), _("Level"), _("State"), _("Taken by"), _("Since")], rows))
    _cut(section, len(facts["alerts"]), n)


def _safety(section: Section, facts: dict[str, Any]) -> None:
    for call in facts["calls_open"]:
        said = _("Call for help of %(who)s is open since %(since)s.") % {
            "who": call["call_sign"] or call["call"],
            "since": when(call["since"]),
        }
        section.lines.append(
            said + (" " + _("Under duress.") if call["duress"] else "") + ("" if call["answered"] else " " + _("Nobody has answered."))
        )
    if not facts["calls_open"]:
        section.lines.append(_("No call for help is open."))
    if facts["duress_in_shift"]:
        section.lines.append(_("Calls withdrawn under duress in the shift: %(n)d") % {"n": facts["duress_in_shift"]})
    for check in facts["welfare_running"]:
        missed = _("Welfare check of %(who)s: no answer since %(due)s.") if check["missed"] else _("Welfare check of %(who)s: due %(due)s.")
        section.lines.append(missed % {"who": check["call_sign"], "due": when(check["due"])})
    n = facts["over_twelve_hours"]
    if n:
        section.lines.append(
            ngettext("%(n)d person is on duty for over twelve hours.", "%(n)d people are on duty for over twelve hours.", n) % {"n": n}
        )
    for one in facts["vehicles_out"]:
        section.lines.append(_("Vehicle %(number)s is out of service: %(why)s") % one)


_FILL = {
    "identity": _identity,
    "situation": _situation,
    "background": _background,
    "assessment": _assessment,
    "requests": _requests,
    "safety": _safety,
}


def context_of(pack: ShiftPack) -> dict[str, Any]:
    return {"pack": pack, "sections": sections_of(pack), "seen": content_hash(pack), "version": code_version()}


def as_pdf(pack: ShiftPack) -> bytes:
    return pdf.render(render_to_string("dashboard/patrol/pack_print.html", context_of(pack)))
