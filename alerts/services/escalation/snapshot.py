"""A policy as it was when an alert fired: plain values, so that no later edit, and nobody's leaving, can break a run."""

from __future__ import annotations

from typing import Any

from alerts.choices import Importance
from alerts.models import EscalationPolicy, PolicyStep

# Where an alert has no policy of its own: whoever may see alerts there is told on the screen. Nobody is silent.
ON_THE_SCREEN: dict[str, Any] = {
    "policy": None,
    "code": "",
    "name_en": "On the screen",
    "name_ar": "على الشاشة",
    "version": None,
    "repeat_times": 0,
    "repeat_wait_s": 0,
    "fallback_user": None,
    "fallback_contact": None,
    "ladder": [],
    "steps": [
        {
            "kind": PolicyStep.Kind.COMMAND_CENTRE.value,
            "wait_s": 300,
            "channels": ["in_app"],
            "importance": Importance.DEFAULT.value,
            "also_off_duty": True,
            "repeat_times": 0,
        }
    ],
}


def step_of(step: PolicyStep) -> dict[str, Any]:
    """A step in plain values; names beside the ids, for whoever reads the run when the rows are no more."""
    return {
        "kind": str(step.kind),
        "wait_s": step.wait_s,
        "user": step.user_id,
        "user_name": str(step.user) if step.user is not None else "",
        "role": str(step.role),
        "team": step.team_id,
        "team_name": _names(step.team),
        "schedule": step.schedule_id,
        "schedule_name": _names(step.schedule),
        "contact": step.contact_id,
        "contact_name": _names(step.contact),
        "agency": step.agency_id,
        "agency_name": _names(step.agency),
        "channels": [str(channel) for channel in step.channels],
        "importance": str(step.importance),
        "also_off_duty": step.also_off_duty,
        "only_from": step.only_from.strftime("%H:%M") if step.only_from is not None else "",
        "only_to": step.only_to.strftime("%H:%M") if step.only_to is not None else "",
        "only_weekdays": sorted(step.only_weekdays),
        "only_levels": list(step.only_levels),
        "repeat_times": step.repeat_times,
        "webhook": step.webhook,
        "task_title": step.task_title,
    }


def _names(row: Any) -> dict[str, str]:
    return {"en": row.name_en, "ar": row.name_ar} if row is not None else {}


def policy_of(policy: EscalationPolicy, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "policy": policy.pk,
        "code": policy.code,
        "name_en": policy.name_en,
        "name_ar": policy.name_ar,
        "version": policy.version,
        "repeat_times": policy.repeat_times,
        "repeat_wait_s": policy.repeat_wait_s,
        "remind_after_min": policy.remind_after_min,
        "fallback_user": policy.fallback_user_id,
        "fallback_contact": policy.fallback_contact_id,
        "ladder": policy.ladder,
        "steps": steps,
    }


def snapshot_of(policy: EscalationPolicy | None, *, hurry_percent: int = 0) -> dict[str, Any]:
    """The whole policy in plain values, or what stands in for one that is missing, out of use or without a step."""
    # Read anew: whoever calls may have held the policy since before its last edit.
    fresh = EscalationPolicy.objects.active().filter(pk=policy.pk).first() if policy is not None else None
    kept = ON_THE_SCREEN
    if fresh is not None:
        rows = fresh.steps.select_related("user", "team", "schedule", "contact", "agency").order_by("position")
        kept = policy_of(fresh, [step_of(row) for row in rows])
    return (kept if kept["steps"] else ON_THE_SCREEN) | {"hurry_percent": hurry_percent}
