"""Units on an incident and whom to send, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from accounts.models import User
from incidents.lifecycle import FINAL as INCIDENT_FINAL
from incidents.models import Incident
from patrol.analytics.recommend import Candidate, Need, Ranking, from_plain, rank
from patrol.lifecycle import State, next_states
from patrol.models import Assignment, Duty, MutualAid, Recommendation, Skill, Unit, UnitKind
from patrol.permissions import is_on_duty
from patrol.services.aid import in_force
from patrol.services.recommend import latest_advice
from patrol.services.recommend.gathering import units_for
from patrol.services.run_cards import ALARM_LEVELS, alarm_level_of
from patrol.services.travel import provider_name
from patrol.services.units import UnitState, states_of

SHOWN = 8
SUPERVISE = frozenset({"superadmin", "supervisor"})


@dataclass(frozen=True)
class Line:
    """One assignment with its clock and what this person may do with it."""

    assignment: Assignment
    clock: list[tuple[str, datetime | None]]
    steps: list[State]
    may_manage: bool
    is_late: bool

    @property
    def step(self) -> State | None:
        return self.steps[0] if self.steps else None


@dataclass(frozen=True)
class Row:
    """One candidate: its place, its reasons, and the unit as it stands now."""

    unit: Unit
    ranking: Ranking
    candidate: Candidate
    reasons: list[str]
    why_not: str
    now: UnitState
    is_taken: bool

    @property
    def seen(self) -> str:
        return ",".join(str(pk) for pk in self.now.open_assignments)

    @property
    def minutes(self) -> float | None:
        return self.candidate.eta_s / 60 if self.candidate.eta_s is not None else None


@dataclass(frozen=True)
class NeedLine:
    text: str
    by: str
    state: str  # met | advised | late | missing


@dataclass(frozen=True)
class Advice:
    recommendation: Recommendation
    rows: list[Row]
    others: list[Row]
    refused: list[Row]
    needs: list[NeedLine]
    shortfalls: list[str]
    has_card: bool
    is_straight: bool
    times_from: str


def may_dispatch(user: User) -> bool:
    """Whether this person may send units now: their role says so, and a dispatcher is on duty."""
    return user.can("dispatch") and (user.role in SUPERVISE or is_on_duty(user))


def lines_of(assignments: list[Assignment], user: User, *, now: datetime | None = None) -> list[Line]:
    moment = now or timezone.now()
    manages = may_dispatch(user)
    on = Duty.objects.open().filter(member__user_id=user.pk) if user.can("act_in_field") else Duty.objects.none()
    my_units = set(on.values_list("unit_id", flat=True))
    found = []
    for row in assignments:
        steps: list[State] = []
        if row.is_open and (manages or row.unit_id in my_units):
            steps = [step for step in next_states(row.state) if step not in {State.CANCELLED, State.AUTO_CLOSED}]
        clock = [
            (str(State.ASSIGNED.label), row.assigned_at),
            (str(State.ACCEPTED.label), row.accepted_at),
            (str(State.EN_ROUTE.label), row.en_route_at),
            (str(State.ON_SCENE.label), row.on_scene_at),
            (_("Ended"), row.ended_at),
        ]
        is_late = row.is_open and row.due_at is not None and row.due_at < moment
        found.append(Line(row, clock, steps, manages and row.is_open, is_late))
    return found


def facts_of(incident: Incident, user: User) -> dict[str, Any]:
    """Everything the dispatch section of an incident shows."""
    rows = Assignment.objects.visible_to(user).filter(incident=incident).select_related("unit", "unit__agency").order_by("-pk")
    lines = lines_of(list(rows[:40]), user)
    sends = may_dispatch(user) and incident.state not in INCIDENT_FINAL
    given: dict[str, Any] = {
        "incident": incident,
        "open_lines": [line for line in lines if line.assignment.is_open],
        "ended_lines": [line for line in lines if not line.assignment.is_open],
        "may_dispatch": sends,
        "needs_duty": user.can("dispatch") and not may_dispatch(user),
    }
    if sends:
        advice = latest_advice(incident, by=user, now=timezone.now())
        given |= {
            "advice": advice_of(advice) if advice is not None else None,
            "alarm_level": advice.alarm_level if advice is not None else alarm_level_of(incident),
            "alarm_levels": ALARM_LEVELS,
            "agreements": list(MutualAid.objects.filter(in_force(at=timezone.now()), borrower=incident.agency_id).select_related("lender")),
            "choices": _choices(incident, user, sent={line.assignment.unit_id for line in given["open_lines"]}),
        }
    return given


def _choices(incident: Incident, user: User, *, sent: set[int]) -> list[tuple[Unit, UnitState]]:
    units = {unit.pk: unit for unit in units_for(incident, by=user).select_related("agency").exclude(pk__in=sent)[:500]}
    states = states_of(units)
    fit = [(unit, states[pk]) for pk, unit in units.items() if states[pk].state not in {"off_duty", "out_of_service"}]
    return sorted(fit, key=lambda it: (it[1].is_busy, it[0].call_sign))


def advice_of(recommendation: Recommendation) -> Advice:
    """The stored advice in words, beside each unit as it stands now."""
    people, needs, weights = from_plain(recommendation.inputs)
    ranked = rank(people, needs, weights)
    by_unit = {it.unit: it for it in people}
    units = Unit.objects.select_related("agency").in_bulk(list(by_unit))
    names = {skill.code: skill.name for skill in Skill.objects.all()}
    eligible = [row for row in ranked.rows if not row.why_not]
    advised = [row for row in eligible if row.advised]
    others = [row for row in eligible if not row.advised][:SHOWN]
    refused = [row for row in ranked.rows if row.why_not and row.why_not != "already_sent"][: 2 * SHOWN]
    states = states_of([row.unit for row in (*advised, *others, *refused)])
    elsewhere = set(
        Assignment.objects.active()
        .filter(unit_id__in=list(states), incident__isnull=False)
        .exclude(incident=recommendation.incident_id)
        .values_list("unit_id", flat=True)
    )
    here = set(Assignment.objects.open().filter(incident=recommendation.incident_id).values_list("unit_id", flat=True))

    def shown(rows: list[Ranking]) -> list[Row]:
        return [
            Row(units[it.unit], it, by_unit[it.unit], reasons_of(by_unit[it.unit], it, names), why_not_words(by_unit[it.unit], it.why_not),
                states[it.unit], it.unit in elsewhere)
            for it in rows
            if it.unit in units and it.unit not in here
        ]  # fmt: skip

    chosen = {it.need: it for it in advised}
    lines = []
    for number, need in enumerate(needs):
        met, pick = ranked.met[number] if number < len(ranked.met) else None, chosen.get(number)
        if met is not None:
            lines.append(NeedLine(need_words(need, names), by_unit[met].call_sign, "met"))
        elif pick is not None and pick.unit in here:
            lines.append(NeedLine(need_words(need, names), by_unit[pick.unit].call_sign, "met"))
        elif pick is not None:
            lines.append(NeedLine(need_words(need, names), by_unit[pick.unit].call_sign, "late" if pick.is_late else "advised"))
        else:
            lines.append(NeedLine(need_words(need, names), "", "missing"))
    shortfalls = [shortfall_words(it, by_unit, names) for it in ranked.shortfalls]
    return Advice(
        recommendation,
        shown(advised),
        shown(others),
        shown(refused),
        lines,
        shortfalls,
        has_card=recommendation.inputs["run_card"] is not None,
        is_straight=recommendation.provider == "straight",
        times_from=str(provider_name(recommendation.provider)),
    )


def need_words(need: Need, names: dict[str, str]) -> str:
    what = str(UnitKind(need.kind).label) if need.kind in UnitKind.values else _("Any unit")
    if need.skill:
        what = _("%(unit)s with %(skill)s") % {"unit": what, "skill": names.get(need.skill, need.skill)}
    if need.within_s is not None:
        what = _("%(unit)s within %(n)d min") % {"unit": what, "n": round(need.within_s / 60)}
    return what


def shortfall_words(short: Any, by_unit: dict[int, Candidate], names: dict[str, str]) -> str:
    """“No unit with water rescue within 20 minutes. The nearest is P7, in 25 min.”"""
    what = str(UnitKind(short.kind).label) if short.kind in UnitKind.values else pgettext("of any kind", "unit")
    if short.skill:
        what = _("%(unit)s with %(skill)s") % {"unit": what, "skill": names.get(short.skill, short.skill)}
    if short.within_s is None:
        missing = _("No %(unit)s.") % {"unit": what}
    else:
        missing = _("No %(unit)s within %(n)d minutes.") % {"unit": what, "n": round(short.within_s / 60)}
    nearest = by_unit.get(short.nearest)
    if nearest is None:
        who = _("No unit here can do it.")
    elif short.nearest_why_not:
        who = _("%(unit)s could, but: %(why)s.") % {"unit": nearest.call_sign, "why": why_not_words(nearest, short.nearest_why_not)}
    else:
        who = _("The nearest is %(unit)s, in %(n)d min.") % {"unit": nearest.call_sign, "n": round((short.nearest_eta_s or 0) / 60)}
    return f"{missing} {who}"


def why_not_words(candidate: Candidate, code: str) -> str:
    if code == "stale_position" and candidate.position_age_s is not None:
        return _("position %(age)s old") % {"age": age_words(candidate.position_age_s)}
    return {
        "": "",
        "off_duty": _("off duty"),
        "out_of_service": _("out of service"),
        "on_incident": _("on another incident"),
        "no_position": _("position unknown"),
        "no_way": _("no way there"),
        "already_sent": _("sent already"),
    }.get(code, code)


def reasons_of(candidate: Candidate, ranking: Ranking, names: dict[str, str]) -> list[str]:
    """What speaks for and against it, with the minutes each circumstance counts."""
    said = []
    if candidate.distance_m is not None:
        said.append(_("%(km).1f km") % {"km": candidate.distance_m / 1000})
    if candidate.position_age_s is not None:
        said.append(_("position %(age)s old") % {"age": age_words(candidate.position_age_s)})
    if candidate.skills:
        joint = "، " if (get_language() or "").startswith("ar") else ", "
        said.append(joint.join(names.get(code, code) for code in candidate.skills))
    words = {
        "open_task": ngettext("%(n)d task open", "%(n)d tasks open", candidate.open_tasks) % {"n": candidate.open_tasks},
        "given_today": ngettext("%(n)d given today", "%(n)d given today", candidate.given_today) % {"n": candidate.given_today},
        "short_rest": _("rested %(h).1f h") % {"h": candidate.rest_h or 0},
        "overtime": _("%(h).1f h overtime") % {"h": candidate.overtime_h},
        "away": _("from another governorate"),
        "lent": _("lent by another agency"),
    }
    said += [
        _("%(reason)s (+%(n).1f min)") % {"reason": words[name], "n": minutes} for name, minutes in ranking.parts.items() if name in words
    ]
    return said


def age_words(seconds: float) -> str:
    if seconds < 100:
        return _("%(n)d s") % {"n": round(seconds)}
    if seconds < 6_000:
        return _("%(n)d min") % {"n": round(seconds / 60)}
    return _("%(n)d h") % {"n": round(seconds / 3600)}
