"""Rules made and changed. What runs never changes under anybody's hands: a change to a rule that was switched on is a proposal beside it.

Every change is a new version, kept for good in its words. Versions are optimistic: whoever changes names the one they looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from alerts import events
from alerts.models import AlertRule, RuleProposal, RuleVersion
from alerts.permissions import Actor
from alerts.services.rules.access import require_rule, stay_within
from alerts.services.rules.checking import look_over, refuse_errors
from alerts.services.rules.content import COLUMNS, content_of, read_content, rule_saying
from core import audit
from core.errors import Conflict, Invalid
from core.events import publish

State = AlertRule.State


@transaction.atomic
def create_rule(*, data: Mapping[str, Any], by: Actor | None, reason: str = "", is_seeded: bool = False) -> AlertRule:
    """A draft that says ``data`` (the words of a file). Raise ``Invalid`` for what cannot be meant, with its field."""
    require_rule(by, "draft_rule")
    columns = read_content(data)
    stay_within(by, columns)
    rule = rule_saying(columns)
    refuse_errors(look_over(rule))
    if AlertRule.objects.filter(code=rule.code).exists():
        text = _("There is a rule with the code “%(code)s” already.") % {"code": rule.code}
        raise Invalid(text, fields={"code": text})
    rule.is_seeded = is_seeded
    rule.created_by = rule.changed_by = user_of(by)
    rule.save(force_insert=True)
    _keep_version(rule, 1, content_of(rule), by, reason)
    audit.record("rule.add", obj=rule, by=by, after=content_of(rule), reason=reason)
    announce(events.RULE_CHANGED, rule, version=1)
    return rule


@transaction.atomic
def change_rule(*, rule: AlertRule, data: Mapping[str, Any], version: int, by: Actor | None, reason: str = "") -> AlertRule:
    """Let the rule say ``data`` from its next version on. ``version`` is the newest the caller knew; ``Conflict`` where it is not.

    A draft, and a rule that is off, change themselves and are drafts (again); of an active rule a proposal is kept, while the version
    that was switched on goes on as it is. What is said already makes no new version. The code never changes.
    """
    locked = lock(rule, "draft_rule", by)
    number = newest_number(locked)
    if version != number:
        raise Conflict(_("Somebody changed this rule meanwhile: it is at version %(number)s now.") % {"number": number})
    columns = read_content({**data, "code": locked.code})
    stay_within(by, columns)
    before, after_rule = newest(locked), rule_saying(columns, onto=locked)
    refuse_errors(look_over(after_rule))
    before_content, content = content_of(before), content_of(after_rule)
    if content == before_content:
        return locked
    number += 1
    if locked.state == State.ACTIVE or _proposal(locked) is not None:
        RuleProposal.objects.update_or_create(
            rule=locked, defaults={"number": number, "changed_by": user_of(by), "submitted_by": None, "submitted_at": None}
        )
    else:
        for key in COLUMNS:
            setattr(locked, key, columns[key])
        locked.version, locked.state, locked.changed_by = number, State.DRAFT, user_of(by)
        locked.submitted_by, locked.submitted_at, locked.activated_by, locked.activated_at = None, None, None, None
        locked.save()
    _keep_version(locked, number, content, by, reason)
    changed = [key for key in {**before_content, **content} if before_content.get(key) != content.get(key)]
    audit.record(
        "rule.change", obj=locked, by=by, reason=reason,
        before={key: before_content.get(key) for key in changed}, after={"version": number} | {key: content.get(key) for key in changed},
    )  # fmt: skip
    announce(events.RULE_CHANGED, locked, version=number)
    return AlertRule.objects.select_related("proposal").get(pk=locked.pk)


@transaction.atomic
def drop_proposal(*, rule: AlertRule, version: int, by: Actor | None, reason: str = "") -> AlertRule:
    """Put away what was proposed; what runs, runs on. Its words stay among the versions."""
    locked = lock(rule, "draft_rule", by)
    proposal = _proposal(locked)
    if proposal is None or proposal.number != version:
        raise Conflict(_("There is no such change any more."))
    audit.record("rule.drop_change", obj=locked, by=by, before={"version": proposal.number}, reason=reason)
    proposal.delete()
    announce(events.RULE_CHANGED, locked, version=locked.version)
    return AlertRule.objects.get(pk=locked.pk)


def newest_number(rule: AlertRule) -> int:
    """The version people look at and change: the proposal's, else the rule's own. Numbers that were dropped are not given again."""
    proposal = _proposal(rule)
    if proposal is not None:
        return proposal.number
    return rule.versions.order_by("-number").values_list("number", flat=True).first() or rule.version


def newest(rule: AlertRule) -> AlertRule:
    """The rule as its newest version says it: itself, or an unsaved copy with the proposal's words."""
    proposal = _proposal(rule)
    return rule if proposal is None else at_version(rule, proposal.number)


def at_version(rule: AlertRule, number: int) -> AlertRule:
    """An unsaved copy of the rule as version ``number`` said it."""
    kept = rule.versions.filter(number=number).first()
    if kept is None:
        return rule
    copy = rule_saying(read_content(kept.content), onto=rule)
    copy.version = number
    return copy


def announce(kind: str, rule: AlertRule, **data: Any) -> None:
    publish(kind, subject=rule, data={"rule": rule.pk, **data}, agency_id=rule.agency_id)


def lock(rule: AlertRule, verb: str, by: Actor | None) -> AlertRule:
    """The rule, locked until the transaction ends, if ``by`` may do this with it."""
    require_rule(by, verb, rule)
    return AlertRule.objects.select_for_update(of=("self",)).select_related("agency", "policy").get(pk=rule.pk)


def user_of(by: Actor | None) -> User | None:
    return by if isinstance(by, User) else None


def _proposal(rule: AlertRule) -> RuleProposal | None:
    return RuleProposal.objects.filter(rule_id=rule.pk).first()


def _keep_version(rule: AlertRule, number: int, content: dict[str, Any], by: Actor | None, reason: str) -> None:
    RuleVersion.objects.create(rule=rule, number=number, content=content, made_by=user_of(by), reason=reason[:400])
