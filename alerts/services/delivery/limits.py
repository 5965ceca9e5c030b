"""How much goes by a channel in a minute and to one address in an hour. What is critical is never held back, and is said to be over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Min

from alerts.models import Channel, ChannelHealth, Delivery

# To one address in an hour, unless the channel says otherwise: beyond it people stop reading. None on the screen or to machines.
DEFAULT_PER_RECIPIENT_HOUR = {Channel.SMS: 30, Channel.GATEWAY: 30, Channel.WHATSAPP: 60, Channel.VOICE: 12, Channel.EMAIL: 120}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LOOK_AGAIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Over:
    """Which limit, and from when on there is room again."""

    most: int
    per: str  # minute | recipient hour
    free_at: datetime


@dataclass
class Meter:
    """What went lately, for one round of claims; those of the round are counted as they are let through.

    Two senders at the same moment may each let one through that the other did not see: the limit protects people and purses, not a
    quota, and is exceeded by no more than the number of senders.
    """

    now: datetime
    health: dict[str, ChannelHealth] = field(default_factory=dict)
    by_channel: Counter[str] = field(default_factory=Counter)
    by_address: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_of_channel: dict[str, datetime] = field(default_factory=dict)
    first_of_address: dict[tuple[str, str], datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, deliveries: Sequence[Delivery], *, now: datetime) -> Meter:
        channels = {delivery.channel for delivery in deliveries}
        meter = cls(now, {row.channel: row for row in ChannelHealth.objects.filter(channel__in=channels)})
        metered = {channel for channel in channels if meter.per_minute(channel) is not None}
        if metered:
            rows = Delivery.objects.filter(channel__in=metered, handed_at__gt=now - MINUTE).values("channel")
            for row in rows.annotate(n=Count("pk"), first=Min("handed_at")):
                meter.by_channel[row["channel"]], meter.first_of_channel[row["channel"]] = row["n"], row["first"]
        addressed = {one.address for one in deliveries if one.address and meter.per_recipient_hour(one.channel) is not None}
        if addressed:
            rows = Delivery.objects.filter(channel__in=channels, address__in=addressed, handed_at__gt=now - HOUR, is_test=False)
            for row in rows.values("channel", "address").annotate(n=Count("pk"), first=Min("handed_at")):
                key = (row["channel"], row["address"])
                meter.by_address[key], meter.first_of_address[key] = row["n"], row["first"]
        return meter

    def per_minute(self, channel: str) -> int | None:
        row = self.health.get(channel)
        return row.per_minute if row is not None else None

    def per_recipient_hour(self, channel: str) -> int | None:
        row = self.health.get(channel)
        own = row.per_recipient_hour if row is not None else None
        return own if own is not None else DEFAULT_PER_RECIPIENT_HOUR.get(Channel(channel))

    def check(self, delivery: Delivery) -> Over | None:
        """Whether this one is over a limit; if it is let through, it counts."""
        channel, key = delivery.channel, (delivery.channel, delivery.address)
        most = self.per_minute(channel)
        if most is not None and self.by_channel[channel] >= most:
            return Over(most, "minute", self._free(self.first_of_channel.get(channel), MINUTE))
        most = self.per_recipient_hour(channel)
        if most is not None and delivery.address and self.by_address[key] >= most:
            return Over(most, "recipient hour", self._free(self.first_of_address.get(key), HOUR))
        return None

    def count(self, delivery: Delivery) -> None:
        self.by_channel[delivery.channel] += 1
        self.by_address[delivery.channel, delivery.address] += 1

    def _free(self, first: datetime | None, span: timedelta) -> datetime:
        return max((first or self.now) + span, self.now + LOOK_AGAIN)
