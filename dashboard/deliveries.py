"""What the list of deliveries shows: which are asked for, why one failed, how each channel did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from alerts.models import AlertState, Channel, Delivery, DeliveryAttempt, DeliveryState, Page
from alerts.services import whys
from alerts.services.people import masked

PAGE_SIZE = 50
SPANS = {"24h": 24, "7d": 168, "30d": 720}
SPAN_NAMES = {"24h": gettext_lazy("24 hours"), "7d": gettext_lazy("7 days"), "30d": gettext_lazy("30 days")}
SHOWS = {
    "undelivered": gettext_lazy("Undelivered"),
    "under_way": gettext_lazy("Under way"),
    "held": gettext_lazy("Held by a limit"),
    "all": pgettext_lazy("deliveries", "All"),
}
# What we say ourselves, in the reader's language; anything else is the provider's own words.
_WHY = {
    "not_configured": gettext_lazy("This channel is not set up here."),
    "switched_off": gettext_lazy("The channel was switched off."),
    "address_off": gettext_lazy("The address is switched off."),
    "called_back": gettext_lazy("Called back: no longer needed."),
    "unknown": gettext_lazy("Nobody knows whether the provider took it, so it was not repeated."),
    "bug": gettext_lazy("It could not be made into a message."),
    "timeout": gettext_lazy("The provider did not answer in time."),
    "no_key": gettext_lazy("The call was answered and nobody pressed a key: perhaps an answering machine."),
    "machine": gettext_lazy("An answering machine answered the call."),
    "connect": gettext_lazy("The provider could not be reached."),
}
_TONE = {DeliveryState.FAILED: "failed", DeliveryState.DELIVERED: "good", DeliveryState.READ: "good"}


@dataclass(frozen=True)
class Asked:
    """What the list is narrowed to; what is not understood is as if it had not been said."""

    show: str
    span: str
    channel: str
    alert: int | None
    before: int | None

    @classmethod
    def of(cls, given: QueryDict) -> Asked:
        def one_of(name: str, known: Any, usual: str) -> str:
            return given.get(name, "") if given.get(name, "") in known else usual

        def number(name: str) -> int | None:
            text = given.get(name, "")
            return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

        alert = number("alert")
        usual = "all" if alert else "undelivered"
        return cls(
            one_of("show", SHOWS, usual), one_of("span", SPANS, "24h"), one_of("channel", Channel.values, ""), alert, number("before")
        )

    def query(self, **changes: object) -> str:
        said = {"show": self.show, "span": self.span, "channel": self.channel, "alert": self.alert, **changes}
        return urlencode({name: value for name, value in said.items() if value not in (None, "")})

    def since(self, now: datetime) -> datetime:
        return now - timedelta(hours=SPANS[self.span])

    def rows(self, viewer: User, now: datetime) -> Any:
        rows = Delivery.objects.visible_to(viewer).filter(is_test=False, alert__isnull=False)
        rows = rows.filter(alert_id=self.alert) if self.alert else rows.filter(created_at__gte=self.since(now))
        if self.channel:
            rows = rows.filter(channel=self.channel)
        waiting = [DeliveryState.PENDING, DeliveryState.SENDING]
        if self.show == "undelivered":
            rows = rows.undelivered(at=now)
        elif self.show == "under_way":
            rows = rows.filter(Q(state__in=waiting) | Q(state=DeliveryState.SENT, receipt_due_at__gte=now))
        elif self.show == "held":
            rows = rows.filter(held_by_limit=True, state__in=waiting)
        return (rows.filter(pk__lt=self.before) if self.before else rows).order_by("-id")


@dataclass(frozen=True)
class Line:
    delivery: Delivery
    who: str
    address: str
    why: str
    is_calm: bool
    tone: str
    state: str
    reason: str
    tries: list[DeliveryAttempt]
    may_retry: bool


def lines_of(rows: Any, viewer: User, now: datetime) -> list[Line]:
    rows = rows.select_related("alert", "page__user", "page__contact").prefetch_related("tries")
    is_keeper, may_retry = viewer.can("manage_alerts"), viewer.can("override_alert")
    return [_line(one, now, is_keeper=is_keeper, may_retry=may_retry) for one in rows]


def _line(delivery: Delivery, now: datetime, *, is_keeper: bool, may_retry: bool) -> Line:
    page, alert = delivery.page, delivery.alert
    late = delivery.state == DeliveryState.SENT and delivery.receipt_due_at is not None and delivery.receipt_due_at < now
    can = (
        may_retry and delivery.state == DeliveryState.FAILED and delivery.channel != Channel.IN_APP
        and alert is not None and alert.state == AlertState.FIRING
        and page is not None and page.state not in {Page.State.ANSWERED, Page.State.CANCELLED}
    )  # fmt: skip
    return Line(
        delivery=delivery,
        who=str(page.user or page.contact) if page is not None else _("Nobody: a webhook or a notice"),
        address=delivery.address if is_keeper else masked(delivery.channel, delivery.address),
        why=why_of(delivery, now),
        is_calm=delivery.state in {DeliveryState.CANCELLED, DeliveryState.PENDING},
        tone="warn" if late else _TONE.get(DeliveryState(delivery.state), ""),
        state=_("No receipt") if late else str(delivery.get_state_display()),
        reason=whys.of(page) if page is not None else "",
        tries=list(delivery.tries.all()),
        may_retry=can,
    )


def why_of(delivery: Delivery, now: datetime) -> str:
    """Why it has not arrived, in a sentence; empty where there is nothing to say."""
    if delivery.held_by_limit and delivery.state in {DeliveryState.PENDING, DeliveryState.SENDING}:
        return _("Held by a limit.")
    if delivery.state == DeliveryState.SENT and delivery.receipt_due_at is not None and delivery.receipt_due_at < now:
        return _("The provider took it and has not said since that it arrived.")
    known = _WHY.get(delivery.error_code)
    if known is not None:
        return str(known)
    return " · ".join(part for part in (delivery.error, delivery.error_code) if part)
