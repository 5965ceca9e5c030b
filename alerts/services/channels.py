"""How the channels are doing, and what people may do with them: try one, switch one off with a reason, limit one.

Health is read from the attempts that were made, a few times a minute, and not written by whoever sends: fifty senders a second would
otherwise wait for one another at one row.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from alerts import events
from alerts.channels import registry
from alerts.channels.base import PermanentFailure
from alerts.channels.codes import BLAMES_ADDRESS
from alerts.models import Channel, ChannelHealth, ContactMethod, Delivery, DeliveryAttempt, DeliveryState, PushSubscription
from alerts.permissions import require, sees
from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.events import publish

NEWEST = 2000  # attempts looked at
OF_CHANNEL = 20  # of which each channel's health is made
OLDEST = timedelta(hours=24)
DOWN_AFTER = 3  # failures in a row
SHAKY_SHARE = 0.2
TESTS_AT_MOST, TESTS_WITHIN = 5, timedelta(minutes=5)
SENDERS = [channel for channel in Channel if channel != Channel.IN_APP]


@dataclass(frozen=True)
class ChannelState:
    """One line of the page of channels. ``lacking``: for each way of having it, what is still to be set."""

    channel: Channel
    is_configured: bool
    lacking: list[tuple[str, ...]]
    provider: str
    has_receipts: bool
    health: ChannelHealth


def states() -> list[ChannelState]:
    """What is there first."""
    known = {row.channel: row for row in ChannelHealth.objects.all()}
    lines = []
    for channel in SENDERS:
        sender = registry.sender_of(channel)
        lines.append(
            ChannelState(
                channel=channel,
                is_configured=sender is not None,
                lacking=registry.lacking(channel) if sender is None else [],
                provider=sender.provider if sender is not None else "",
                has_receipts=sender is not None and sender.has_receipts,
                health=known.get(channel) or ChannelHealth(channel=channel),
            )
        )
    return sorted(lines, key=lambda line: not line.is_configured)


def _row(channel: str) -> ChannelHealth:
    if channel not in Channel.values or channel == Channel.IN_APP:
        raise NotFound(_("There is no such channel."))
    ChannelHealth.objects.get_or_create(channel=channel)
    return ChannelHealth.objects.select_for_update().get(channel=channel)


@transaction.atomic
def switch_off(*, by: User, channel: str, because: str) -> ChannelHealth:
    """Nothing more goes by it but tests; what is due takes the next rung at once."""
    require(by, "manage_alerts")
    row, because = _row(channel), " ".join(because.split())[:200]
    if not because:
        raise Invalid(_("Say why."), fields={"because": _("Say why.")})
    if row.is_off:
        raise Conflict(_("It is switched off already: %(why)s") % {"why": row.off_because})
    row.is_off, row.off_because = True, because
    row.save(update_fields=["is_off", "off_because"])
    _announce(row, "off", by=by, reason=because)
    return row


@transaction.atomic
def switch_on(*, by: User, channel: str) -> ChannelHealth:
    require(by, "manage_alerts")
    row = _row(channel)
    if not row.is_off:
        raise Conflict(_("It is not switched off."))
    row.is_off, row.off_because = False, ""
    row.save(update_fields=["is_off", "off_because"])
    _announce(row, "on", by=by)
    return row


def _announce(row: ChannelHealth, state: str, *, by: User | None = None, reason: str = "") -> None:
    publish(events.CHANNEL_CHANGED, data={"channel": row.channel, "state": state})
    if by is not None:
        audit.record(f"channel.{state}", obj=row, by=by, reason=reason)


# --- trying one ---------------------------------------------------------------------------------------------------------
@transaction.atomic
def send_test(
    *, by: User, channel: str, method: ContactMethod | None = None, subscription: PushSubscription | None = None, name: str = ""
) -> Delivery:
    """A message that says it is a test, by the very way an alert takes. To one's own address; to a contact's, Slack or a webhook
    (``name``) for those who manage the alerts. Whoever sends deliveries takes the row from here."""
    if registry.sender_of(channel) is None:
        raise Invalid(_("This channel is not set up here."))
    if method is not None:
        _may_try(by, method)
    address, method, subscription = _where(by, channel, method, subscription, name)
    _not_too_often(by, channel, address)
    language = method.contact.language if method is not None and method.contact is not None else by.language
    with translation.override(language):
        subject = _("Test of Khareetaty's alerts")
        body = _("This is a test of the channel %(channel)s, asked for by %(name)s. Nothing has happened; there is nothing to do.")
        body %= {"channel": Channel(channel).label, "name": by.full_name or by.username}
    made = Delivery.objects.create(
        key=uuid4(), channel=channel, method=method, subscription=subscription, address=address, language=language, is_test=True,
        subject=subject[:300], body=body, state=DeliveryState.PENDING, next_at=timezone.now(),
    )  # fmt: skip
    audit.record("channel.test", obj=made, by=by, after={"channel": channel})
    return made


def _may_try(by: User, method: ContactMethod) -> None:
    if method.user_id == by.pk:
        return
    if method.contact is None or not sees(by, method.contact):
        raise NotFound(_("There is no such address."))
    require(by, "manage_alerts")


def _where(
    by: User, channel: str, method: ContactMethod | None, subscription: PushSubscription | None, name: str
) -> tuple[str, ContactMethod | None, PushSubscription | None]:
    if channel in (Channel.SLACK, Channel.WEBHOOK):
        require(by, "manage_alerts")
        return _checked(channel, name if channel == Channel.WEBHOOK else "Slack"), None, None
    if channel == Channel.PUSH:
        mine = PushSubscription.objects.filter(user=by, gone_at=None)
        subscription = mine.filter(pk=subscription.pk).first() if subscription is not None else mine.order_by("-pk").first()
        if subscription is None:
            raise Invalid(_("None of your browsers takes push messages yet. Switch it on under “How I am told”."))
        return subscription.endpoint[:500], None, subscription
    method = method or ContactMethod.objects.filter(user=by, channel=channel, is_active=True).order_by("-verified_at", "pk").first()
    if method is not None:
        if method.channel != channel:
            raise Invalid(_("This address belongs to another channel."))
        return _checked(channel, method.address), method, None
    if channel == Channel.EMAIL and by.email:
        return _checked(channel, by.email), None, None
    raise Invalid(_("You have no address on this channel yet. Add one under “How I am told”."))


def _checked(channel: str, address: str) -> str:
    sender = registry.sender_of(channel)
    try:
        return sender.check_address(address) if sender is not None else address
    except PermanentFailure as refused:
        raise Invalid(refused.message) from refused


def _not_too_often(by: User, channel: str, address: str) -> None:
    lately = Delivery.objects.filter(is_test=True, channel=channel, address=address, created_at__gt=timezone.now() - TESTS_WITHIN)
    if lately.count() >= TESTS_AT_MOST:
        raise Conflict(_("This address had several tests just now. Wait a few minutes."))


def own_tests(by: User, *, limit: int = 10) -> list[Delivery]:
    """The newest tests to this person's own addresses, and to those that are nobody's."""
    own = Delivery.objects.filter(is_test=True).select_related("method").order_by("-id")[:200]
    methods = set(ContactMethod.objects.filter(user=by).values_list("pk", flat=True))
    browsers = set(PushSubscription.objects.filter(user=by).values_list("pk", flat=True))
    shown = [
        one
        for one in own
        if (one.method_id in methods)
        or (one.subscription_id in browsers)
        or (one.address == by.email and one.channel == Channel.EMAIL)
        or (one.channel in (Channel.SLACK, Channel.WEBHOOK) and by.can("manage_alerts"))
    ]
    return shown[:limit]


# --- health --------------------------------------------------------------------------------------------------------------
@dataclass
class _Found:
    ok: int = 0
    failed: int = 0
    streak: int = 0
    last_ok_at: datetime | None = None
    last_failed_at: datetime | None = None
    last_error: str = ""

    def take(self, outcome: str, code: str, detail: str, ended_at: datetime) -> None:
        """Newest first. What blames an address says that the channel itself answered."""
        if outcome == DeliveryAttempt.Outcome.ACCEPTED or code in BLAMES_ADDRESS:
            self.ok += 1
            self.last_ok_at = self.last_ok_at or ended_at
            return
        if not self.ok:
            self.streak += 1
        self.failed += 1
        if self.last_failed_at is None:
            self.last_failed_at, self.last_error = ended_at, f"{code} {detail}".strip()

    @property
    def state(self) -> str:
        if self.ok + self.failed == 0:
            return ChannelHealth.State.UNKNOWN
        if self.streak >= DOWN_AFTER:
            return ChannelHealth.State.DOWN
        if self.streak or self.failed / (self.ok + self.failed) >= SHAKY_SHARE:
            return ChannelHealth.State.SHAKY
        return ChannelHealth.State.OK


def look_at_health(*, now: datetime | None = None) -> list[str]:
    """Bring each channel's state up to date from its newest attempts; announce what changed. Returns the channels that did."""
    now = now or timezone.now()
    found: dict[str, _Found] = defaultdict(_Found)
    newest = DeliveryAttempt.objects.exclude(ended_at=None).order_by("-id")
    for channel, outcome, code, detail, at in newest.values_list("delivery__channel", "outcome", "code", "detail", "ended_at")[:NEWEST]:
        of = found[channel]
        if at is not None and at > now - OLDEST and of.ok + of.failed < OF_CHANNEL:
            of.take(outcome, code, detail, at)
    changed = []
    for channel, seen in found.items():
        if seen.ok + seen.failed and _keep(channel, seen):
            changed.append(channel)
    return changed


@transaction.atomic
def _keep(channel: str, seen: _Found) -> bool:
    row = _row(channel)
    was = row.state
    now = {"state": seen.state, "fail_streak": seen.streak, "last_ok_at": seen.last_ok_at or row.last_ok_at}
    if seen.last_failed_at is not None:
        now |= {"last_failed_at": seen.last_failed_at, "last_error": seen.last_error[:400]}
    if all(getattr(row, name) == value for name, value in now.items()):
        return False
    ChannelHealth.objects.filter(pk=row.pk).update(**now)
    row.state = seen.state
    if row.state == was:
        return False
    _announce(row, row.state)
    return True
