"""Writing policies: by people who may, whole, with every step in its place. Whatever runs already goes on as it began."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from alerts import events
from alerts.models import Contact, EscalationPolicy, OnCallSchedule, PolicyStep
from alerts.permissions import Actor, require
from alerts.services.escalation import ladder as ladders
from alerts.services.escalation.checking import Found, check
from alerts.services.escalation.snapshot import policy_of, step_of
from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from patrol.models import Team

CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
OF_POLICY = (
    "code", "name_en", "name_ar", "description", "agency_id", "repeat_times", "repeat_wait_s", "remind_after_min", "fallback_user_id",
    "fallback_contact_id", "ladder", "is_active",
)  # fmt: skip
OF_STEP = (
    "kind", "wait_s", "user_id", "role", "team_id", "schedule_id", "contact_id", "agency_id", "channels", "importance", "also_off_duty",
    "only_from", "only_to", "only_weekdays", "only_levels", "repeat_times", "webhook", "task_title",
)  # fmt: skip
# What a step keeps of its columns, by kind: the rest is emptied, so that a step says what it does and nothing else.
SUBJECT = {"user_id": PolicyStep.Kind.PERSON, "role": PolicyStep.Kind.ROLE, "team_id": PolicyStep.Kind.TEAM,
           "schedule_id": PolicyStep.Kind.SCHEDULE, "contact_id": PolicyStep.Kind.CONTACT, "webhook": PolicyStep.Kind.WEBHOOK,
           "task_title": PolicyStep.Kind.TASK}  # fmt: skip


@transaction.atomic
def write_policy(
    *,
    by: Actor | None,
    policy: EscalationPolicy | None = None,
    values: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    seen_version: int | None = None,
    reason: str = "",
) -> EscalationPolicy:
    """Make a policy, or write one anew as a whole, with its steps in the order given; a new version of it.

    ``values`` are columns of ``OF_POLICY``, ``steps`` those of ``OF_STEP``; what is left out of ``values`` stays as it was. Raises
    ``Invalid`` naming the fields (``steps.2.user``), ``Conflict`` where somebody saved another version since ``seen_version``.
    """
    unknown = (set(values) - set(OF_POLICY)) | {key for step in steps for key in set(step) - set(OF_STEP)}
    if unknown:
        raise Invalid(_("Unknown key: %(key)s.") % {"key": sorted(unknown)[0]}, fields={sorted(unknown)[0]: _("Unknown key.")})
    held = _held(policy, seen_version) if policy is not None else None
    draft = held or EscalationPolicy()
    if held is not None:
        _may_write(by, held)
    before = {name: getattr(draft, name) for name in OF_POLICY} if held is not None else {}
    for name, value in values.items():
        setattr(draft, name, value)
    draft.ladder = ladders.kept(draft.ladder)
    _may_write(by, draft)
    rows = _rows(steps)
    problems = _problems_of_names(draft) | _problems_of_ids(by, draft, rows, held)
    if problems:
        raise Invalid(_("The policy cannot be saved as it is."), fields=problems)
    found = check(_snapshot(draft, rows))
    if not found.is_fine:
        raise Invalid(_("The policy cannot be saved as it is."), fields=found.problems)
    draft.version = (held.version + 1) if held is not None else 1
    draft.save()
    draft.steps.all().delete()
    for position, row in enumerate(rows, start=1):
        row.policy, row.position = draft, position
    PolicyStep.objects.bulk_create(rows)
    after = {name: getattr(draft, name) for name in OF_POLICY}
    changed = {name for name in OF_POLICY if before.get(name) != after[name]}
    audit.record(
        "policy.change" if held is not None else "policy.make", obj=draft, by=by, reason=reason,
        before={name: before[name] for name in changed} if held is not None else None,
        after={name: after[name] for name in changed} | {"version": draft.version, "steps": len(rows)},
    )  # fmt: skip
    publish(events.POLICY_CHANGED, subject=draft, data={"policy": draft.code, "version": draft.version}, agency_id=draft.agency_id)
    return draft


@transaction.atomic
def change_ladder(
    *, by: Actor | None, policy: EscalationPolicy, ladder: Sequence[Mapping[str, Any]], seen_version: int | None = None
) -> EscalationPolicy:
    """Write the ladder anew and leave the rest: a new version. An empty one: whoever has chosen nothing is told in the usual order."""
    rows = policy.steps.order_by("position")
    steps = [{name: getattr(row, name) for name in OF_STEP} for row in rows]
    return write_policy(by=by, policy=policy, values={"ladder": list(ladder)}, steps=steps, seen_version=seen_version)


@transaction.atomic
def switch_policy(*, by: Actor | None, policy: EscalationPolicy, is_active: bool, reason: str = "") -> EscalationPolicy:
    """Take it out of use, or into use again. Alerts that would have used it are shown on the screen meanwhile."""
    held = _held(policy, None)
    _may_write(by, held)
    if is_active:
        problems = check(_snapshot(held, list(held.steps.order_by("position")))).problems
        if problems:
            raise Invalid(" ".join(problems.values()), fields=problems)
    elif held.rules.filter(state="active").exists():
        raise Conflict(_("Rules that are switched on use this policy. Give them another one first."))
    changed = EscalationPolicy.objects.filter(pk=held.pk, is_active=not is_active).update(is_active=is_active, version=F("version") + 1)
    if not changed:
        raise Conflict(_("It is so already."))
    held.refresh_from_db()
    audit.record("policy.on" if is_active else "policy.off", obj=held, by=by, reason=reason)
    publish(events.POLICY_CHANGED, subject=held, data={"policy": held.code, "version": held.version}, agency_id=held.agency_id)
    return held


def check_policy(policy: EscalationPolicy) -> Found:
    """What is wrong with a policy as it is saved, today."""
    steps = policy.steps.select_related("user", "team", "schedule", "contact", "agency").order_by("position")
    return check(_snapshot(policy, list(steps)))


def preview(
    *, by: Actor | None, policy: EscalationPolicy | None = None, values: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], Found]:
    """The snapshot of what is being written, and what is wrong with it; nothing is saved."""
    draft = EscalationPolicy(**{name: value for name, value in values.items() if name in OF_POLICY})
    draft.ladder = ladders.kept(draft.ladder)
    rows = _rows([{name: value for name, value in step.items() if name in OF_STEP} for step in steps])
    problems = _problems_of_ids(by, draft, rows, policy)
    if problems:
        return {}, Found(problems=problems)
    snapshot = _snapshot(draft, rows)
    return snapshot, check(snapshot)


def _held(policy: EscalationPolicy, seen_version: int | None) -> EscalationPolicy:
    held = EscalationPolicy.objects.select_for_update(of=("self",)).filter(pk=policy.pk).first()
    if held is None:
        raise NotFound(_("There is no such policy."))
    if seen_version is not None and held.version != seen_version:
        raise Conflict(_("Somebody has saved this policy meanwhile. Load it again; what you wrote is not saved."))
    return held


def may_write(actor: Any, policy: EscalationPolicy) -> bool:
    """A policy of the whole ministry is written by whoever sees every agency."""
    if actor is None:
        return True
    return bool(actor.can("manage_alerts")) and actor.jurisdiction.admits(agency_id=policy.agency_id, governorate_id=None)


def _may_write(by: Actor | None, policy: EscalationPolicy) -> None:
    require(by, "manage_alerts")
    if not may_write(by, policy):
        raise NotAllowed(_("This policy is not your agency's."))


def _rows(steps: Sequence[Mapping[str, Any]]) -> list[PolicyStep]:
    rows = []
    for step in steps:
        given = {name: value for name, value in step.items() if name not in SUBJECT or SUBJECT[name] == step.get("kind")}
        for name in ("only_from", "only_to"):
            if isinstance(given.get(name), str):
                given[name] = _time(given[name])
        for name in ("channels", "only_weekdays", "only_levels"):
            given[name] = list(given.get(name) or [])
        if given.get("kind") == PolicyStep.Kind.WAIT:
            given |= {"repeat_times": 0, "channels": []}
        rows.append(PolicyStep(**given))
    return rows


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(_("A time is written as 22:00."), fields={"only_from": _("A time is written as 22:00.")}) from error


def _snapshot(draft: EscalationPolicy, rows: Sequence[PolicyStep]) -> dict[str, Any]:
    return policy_of(draft, [step_of(row) for row in rows])


def _problems_of_names(draft: EscalationPolicy) -> dict[str, str]:
    problems = {name: _("Give it a name.") for name in ("name_en", "name_ar") if not getattr(draft, name).strip()}
    if not CODE.fullmatch(draft.code or ""):
        problems["code"] = _("Small letters, digits and hyphens.")
    elif EscalationPolicy.objects.filter(code=draft.code).exclude(pk=draft.pk).exists():
        problems["code"] = _("There is a policy with this code.")
    return problems


def _problems_of_ids(
    by: Actor | None, draft: EscalationPolicy, rows: Sequence[PolicyStep], held: EscalationPolicy | None
) -> dict[str, str]:
    """Every id must be of something the writer may see; what the policy holds already may stay in it."""
    kept = list(held.steps.all()) if held is not None else []
    visible: dict[str, Any] = {
        "user_id": _people_seen_by(by),
        "team_id": Team.objects.visible_to(by) if by is not None else Team.objects.all(),
        "schedule_id": OnCallSchedule.objects.visible_to(by) if by is not None else OnCallSchedule.objects.all(),
        "contact_id": Contact.objects.visible_to(by) if by is not None else Contact.objects.all(),
        "agency_id": Agency.objects.all(),
    }
    problems: dict[str, str] = {}
    for name, rows_seen in visible.items():
        asked = {number: getattr(row, name) for number, row in enumerate(rows, start=1) if getattr(row, name) is not None}
        wanted = set(asked.values()) - {getattr(row, name) for row in kept}
        known = set(rows_seen.filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()
        for number, pk in asked.items():
            if pk in wanted - known:
                problems[f"steps.{number}.{name.removesuffix('_id')}"] = _("There is no such thing.")
    for name, rows_seen in (("fallback_user_id", visible["user_id"]), ("fallback_contact_id", visible["contact_id"])):
        pk = getattr(draft, name)
        if pk is not None and (held is None or getattr(held, name) != pk) and not rows_seen.filter(pk=pk).exists():
            problems[name.removesuffix("_id")] = _("There is no such thing.")
    return problems


def _people_seen_by(by: Actor | None) -> Any:
    users = User.objects.filter(is_active=True)
    agencies = by.jurisdiction.agency_ids if by is not None else None
    return users if agencies is None else users.filter(agency_id__in=sorted(agencies))
