"""Whom a rule tells, in one sentence: its policy's steps as they stand today."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.roles import Role
from alerts.models import EscalationPolicy, PolicyStep
from alerts.services.rules.wording import inside, seconds

MOST_STEPS = 6


def policy_in_words(policy: EscalationPolicy | None) -> list[str]:
    """ "It tells, by “Hawalli, as usual”: who is on call in “Hawalli duty officer”; after 1 minute every dispatcher on duty; …" """
    if policy is None:
        return [_("Nobody is told yet: choose an escalation policy.")]
    steps = (
        list(policy.steps.select_related("user", "team", "schedule", "contact").order_by("position")[: MOST_STEPS + 1]) if policy.pk else []
    )
    parts: list[str] = []
    wait = 0
    for step in steps[:MOST_STEPS]:
        said = _step(step)
        if said:
            parts.append(said if not wait else _("after %(time)s %(whom)s") % {"time": seconds(wait), "whom": said})
        wait += step.wait_s
    if not parts:
        return [_("By the policy “%(policy)s” nobody is told.") % {"policy": policy.name}]
    if len(steps) > MOST_STEPS:
        parts.append(_("and so on"))
    return [_("It tells, by the policy “%(policy)s”: %(steps)s.") % {"policy": policy.name, "steps": "; ".join(parts)}]


def _step(step: PolicyStep) -> str:
    kind = PolicyStep.Kind
    match step.kind:
        case kind.PERSON:
            return str(step.user.full_name or step.user.username) if step.user is not None else ""
        case kind.ROLE:
            role = inside(str(Role(step.role).label)) if step.role in Role.values else step.role
            return (_("every %(role)s") if step.also_off_duty else _("every %(role)s on duty")) % {"role": role}
        case kind.TEAM:
            return _("the team “%(team)s”") % {"team": step.team.name} if step.team is not None else ""
        case kind.SCHEDULE:
            return _("who is on call in “%(schedule)s”") % {"schedule": step.schedule.name} if step.schedule is not None else ""
        case kind.CONTACT:
            return step.contact.name if step.contact is not None else ""
        case kind.OPERATIONS_ROOM:
            return _("the governorate's operations room")
        case kind.COMMAND_CENTRE:
            return _("the command centre")
        case kind.TASK:
            return _("a task for a patrol")
        case kind.WEBHOOK:
            return _("the webhook “%(name)s”") % {"name": step.webhook}
        case _:
            return ""
