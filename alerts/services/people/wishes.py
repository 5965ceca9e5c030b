"""How a person wants to be told: their ladder for usual and for important alerts, their quiet hours, the sound."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.models import Channel, Importance, NotificationRule, Preferences
from alerts.permissions import Actor
from alerts.services.people.rights import require_person
from core import audit
from core.errors import Invalid

MOST_RUNGS = 10
LONGEST_WAIT_S = 3600
LONGEST_MUTE = timedelta(hours=8)
MAY_CLIMB = (Channel.IN_APP, Channel.PUSH, Channel.WHATSAPP, Channel.SMS, Channel.VOICE, Channel.GATEWAY, Channel.EMAIL)


@transaction.atomic
def set_ladder(*, user: User, by: Actor | None, importance: str, rungs: Sequence[tuple[str, int]]) -> list[NotificationRule]:
    """A person's rungs for one importance, all of them, in this order: ``(channel, seconds to wait after it)``.

    A channel the person has no address on is kept and passed over until there is one.
    """
    require_person(by, user)
    if importance not in Importance.values:
        raise Invalid(_("Choose default or important."), fields={"importance": _("Unknown.")})
    if len(rungs) > MOST_RUNGS:
        message = _("At most %(n)d rungs.") % {"n": MOST_RUNGS}
        raise Invalid(message, fields={"rungs": message})
    for number, (channel, wait_s) in enumerate(rungs):
        if channel not in MAY_CLIMB:
            message = _("Choose one of the channels.")
            raise Invalid(message, fields={f"rungs.{number}.channel": message})
        if not 0 <= wait_s <= LONGEST_WAIT_S:
            message = _("From 0 to %(n)d seconds.") % {"n": LONGEST_WAIT_S}
            raise Invalid(message, fields={f"rungs.{number}.wait_s": message})
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    mine = NotificationRule.objects.filter(user=user, importance=importance)
    before = list(mine.order_by("position").values_list("channel", "wait_s"))
    if before == [(str(channel), wait_s) for channel, wait_s in rungs]:
        return list(mine.order_by("position"))
    mine.delete()
    rows = NotificationRule.objects.bulk_create(
        NotificationRule(user=user, importance=importance, position=number, channel=channel, wait_s=wait_s)
        for number, (channel, wait_s) in enumerate(rungs)
    )
    audit.record("notificationrule.set", obj=user, by=by, before={importance: before}, after={importance: [list(rung) for rung in rungs]})
    return rows


@transaction.atomic
def set_quiet_hours(*, user: User, by: Actor | None, quiet_from: time | None, quiet_to: time | None) -> Preferences:
    """Hours in which only critical alerts ring. Both or neither; they may cross midnight."""
    require_person(by, user)
    if (quiet_from is None) != (quiet_to is None):
        message = _("Give both ends, or neither.")
        raise Invalid(message, fields={"quiet_to" if quiet_to is None else "quiet_from": message})
    if quiet_from is not None and quiet_from == quiet_to:
        message = _("From and to are the same.")
        raise Invalid(message, fields={"quiet_to": message})
    wishes = _wishes(user)
    before = {"quiet_from": _clock(wishes.quiet_from), "quiet_to": _clock(wishes.quiet_to)}
    wishes.quiet_from, wishes.quiet_to = quiet_from, quiet_to
    wishes.save(update_fields=["quiet_from", "quiet_to"])
    after = {"quiet_from": _clock(quiet_from), "quiet_to": _clock(quiet_to)}
    if before != after:
        audit.record("preferences.quiet_hours", obj=user, by=by, before=before, after=after)
    return wishes


@transaction.atomic
def mute_sound(*, user: User, by: Actor | None, until: datetime | None) -> Preferences:
    """No sound on this person's screens until then, at most eight hours; ``None``: it sounds again."""
    require_person(by, user)
    now = timezone.now()
    if until is not None and not now < until <= now + LONGEST_MUTE + timedelta(minutes=1):
        message = _("At most eight hours from now.")
        raise Invalid(message, fields={"until": message})
    wishes = _wishes(user)
    wishes.sound_muted_until = until
    wishes.save(update_fields=["sound_muted_until"])
    audit.record("preferences.mute_sound", obj=user, by=by, after={"until": until.isoformat() if until else None})
    return wishes


def _wishes(user: User) -> Preferences:
    Preferences.objects.get_or_create(user=user)
    return Preferences.objects.select_for_update().get(user=user)


def _clock(at: time | None) -> str | None:
    return f"{at:%H:%M}" if at else None
