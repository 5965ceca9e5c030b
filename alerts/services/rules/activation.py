"""A rule is switched on by a second person who has seen what it would have done; switched off by one, at once."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts import events
from alerts.models import AlertRule, RuleProposal, RuleReplay
from alerts.permissions import Actor
from alerts.services.rules.access import stay_within
from alerts.services.rules.checking import look_over, refuse_blockers
from alerts.services.rules.content import COLUMNS
from alerts.services.rules.writing import announce, at_version, lock, newest, newest_number, user_of
from core import audit
from core.errors import Conflict, Invalid, NotAllowed

State = AlertRule.State
TOO_MANY_A_DAY = 333  # ten thousand in thirty days: nobody would read them, and the one that matters is among them
MANY_A_DAY = 50


@transaction.atomic
def submit_rule(*, rule: AlertRule, version: int, by: Actor | None) -> AlertRule:
    """Hand the newest version to a second person. Raise ``Invalid`` where it could not be switched on as it is."""
    locked = lock(rule, "draft_rule", by)
    _same(locked, version)
    proposal = RuleProposal.objects.filter(rule=locked).first()
    if (proposal is None and locked.state in (State.WAITING, State.ACTIVE)) or (proposal is not None and proposal.submitted_at is not None):
        raise Conflict(_("It has been submitted already."))
    refuse_blockers(look_over(newest(locked)))
    now = timezone.now()
    if proposal is not None:
        proposal.submitted_by, proposal.submitted_at = user_of(by), now
        proposal.save(update_fields=["submitted_by", "submitted_at"])
    else:
        locked.state, locked.submitted_by, locked.submitted_at = State.WAITING, user_of(by), now
        locked.activated_by, locked.activated_at = None, None
        locked.save(update_fields=["state", "submitted_by", "submitted_at", "activated_by", "activated_at", "changed_at"])
    audit.record("rule.submit", obj=locked, by=by, after={"version": version})
    announce(events.RULE_SUBMITTED, locked, version=version)
    return _again(locked)


@transaction.atomic
def send_back_rule(*, rule: AlertRule, version: int, by: Actor | None, reason: str) -> AlertRule:
    """What was submitted becomes a draft again, with the reason for its writer."""
    locked = lock(rule, "draft_rule", by)
    _same(locked, version)
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("Say why.")})
    proposal = RuleProposal.objects.filter(rule=locked).first()
    if proposal is not None and proposal.submitted_at is not None:
        proposal.submitted_by, proposal.submitted_at = None, None
        proposal.save(update_fields=["submitted_by", "submitted_at"])
    elif proposal is None and locked.state == State.WAITING:
        locked.state, locked.submitted_by, locked.submitted_at = State.DRAFT, None, None
        locked.save(update_fields=["state", "submitted_by", "submitted_at", "changed_at"])
    else:
        raise Conflict(_("It does not wait for anybody."))
    audit.record("rule.send_back", obj=locked, by=by, after={"version": version}, reason=reason)
    announce(events.RULE_CHANGED, locked, version=version)
    return _again(locked)


@transaction.atomic
def activate_rule(*, rule: AlertRule, version: int, by: Actor) -> AlertRule:
    """Switch the submitted version on. The caller is neither who submitted it nor who last changed it, and there is a replay of it."""
    locked = lock(rule, "activate_rule", by)
    if not isinstance(by, User):
        raise NotAllowed(_("A person switches a rule on."))
    _same(locked, version)
    proposal = RuleProposal.objects.filter(rule=locked).first()
    waits = proposal.submitted_at is not None if proposal is not None else locked.state == State.WAITING
    if not waits:
        raise Conflict(_("It has not been submitted: somebody submits it, somebody else switches it on."))
    holder = proposal or locked
    if by.pk in (holder.submitted_by_id, holder.changed_by_id):
        raise NotAllowed(_("A second person switches a rule on: you submitted it, or changed it last."))
    said = at_version(locked, proposal.number) if proposal is not None else locked
    stay_within(by, {key: getattr(said, key) for key in COLUMNS})
    refuse_blockers(look_over(said))
    refuse_storm(replay_of(locked, version))
    now = timezone.now()
    if proposal is not None:
        for key in COLUMNS:
            setattr(locked, key, getattr(said, key))
        locked.version, locked.changed_by = proposal.number, proposal.changed_by
        locked.submitted_by, locked.submitted_at = proposal.submitted_by, proposal.submitted_at
        proposal.delete()
    locked.state, locked.activated_by, locked.activated_at = State.ACTIVE, by, now
    locked.save()
    audit.record("rule.activate", obj=locked, by=by, after={"version": locked.version})
    announce(events.RULE_ACTIVATED, locked, version=locked.version)
    return _again(locked)


@transaction.atomic
def switch_off_rule(*, rule: AlertRule, by: Actor | None, reason: str) -> AlertRule:
    """From now on it makes no alert. Those that are open stay open; a proposal stays a proposal."""
    locked = lock(rule, "activate_rule", by)
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("Say why.")})
    if locked.state != State.ACTIVE:
        raise Conflict(_("It is not switched on."))
    locked.state = State.OFF
    locked.save(update_fields=["state", "changed_at"])
    audit.record("rule.switch_off", obj=locked, by=by, after={"version": locked.version}, reason=reason)
    announce(events.RULE_SWITCHED_OFF, locked)
    return _again(locked)


def replay_of(rule: AlertRule, version: int) -> RuleReplay | None:
    """The newest replay of this very version."""
    return RuleReplay.objects.filter(rule_id=rule.pk, version=version).first()


def refuse_storm(replay: RuleReplay | None) -> None:
    if replay is None:
        raise Conflict(_("Replay this version first: nobody has seen what it would have done."))
    if replay.alert_count > TOO_MANY_A_DAY * replay.days:
        raise Invalid(
            _("It would have made %(count)s alerts in %(days)s days: nobody could read them. Raise its thresholds or narrow it.")
            % {"count": replay.alert_count, "days": replay.days}
        )


def _same(rule: AlertRule, version: int) -> None:
    number = newest_number(rule)
    if version != number:
        raise Conflict(_("Somebody changed this rule meanwhile: it is at version %(number)s now.") % {"number": number})


def _again(rule: AlertRule) -> AlertRule:
    return AlertRule.objects.select_related("agency", "policy").get(pk=rule.pk)
