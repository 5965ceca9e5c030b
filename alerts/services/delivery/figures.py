"""How the channels did in a span, within what a viewer may see: one row a channel, measured from the deliveries themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Aggregate, Count, DurationField, ExpressionWrapper, F, FloatField, Func, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from alerts.models import Channel, Delivery, DeliveryState


@dataclass(frozen=True)
class ChannelFigure:
    channel: Channel
    deliveries: int
    sent: int  # taken by the provider, whatever came of it
    delivered: int  # known to have arrived; read ones among them
    read: int
    failed: int
    cancelled: int
    under_way: int
    without_receipt: int  # sent, and the receipt that was waited for did not come in time
    held: int  # by a limit, now
    attempts: int
    parts: int
    handed_p50_s: float | None  # from the row's making to the channel having it
    handed_p95_s: float | None
    arrived_p50_s: float | None  # to the receipt
    arrived_p95_s: float | None

    @property
    def delivered_share(self) -> float | None:
        """Of what the channel took; ``None`` where it took nothing."""
        return self.delivered / self.sent if self.sent else None


class _Percentile(Aggregate):
    """Of an interval's seconds, without those that have none."""

    output_field = FloatField()


class Median(_Percentile):
    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


class Late(_Percentile):
    template = "percentile_cont(0.95) WITHIN GROUP (ORDER BY %(expressions)s)"


def channel_figures(viewer: object, start: datetime, end: datetime) -> list[ChannelFigure]:
    """Tests left out. Channels with nothing in the span have no row."""

    def seconds(field: str) -> Func:
        span = ExpressionWrapper(F(field) - F("created_at"), output_field=DurationField())
        return Func(span, function="extract", template="extract(epoch from %(expressions)s)", output_field=FloatField())

    state = DeliveryState
    arrived = Q(state__in=[state.DELIVERED, state.READ])
    rows = (
        Delivery.objects.visible_to(viewer)
        .filter(created_at__gte=start, created_at__lt=end, is_test=False)
        .order_by()
        .values("channel")
        .annotate(
            deliveries=Count("pk"),
            sent=Count("pk", filter=Q(sent_at__isnull=False) | arrived),
            delivered=Count("pk", filter=arrived),
            read=Count("pk", filter=Q(state=state.READ)),
            failed=Count("pk", filter=Q(state=state.FAILED)),
            cancelled=Count("pk", filter=Q(state=state.CANCELLED)),
            under_way=Count("pk", filter=Q(state__in=[state.PENDING, state.SENDING])),
            without_receipt=Count("pk", filter=Q(state=state.SENT, receipt_due_at__lt=timezone.now())),
            held=Count("pk", filter=Q(held_by_limit=True, state__in=[state.PENDING, state.SENDING])),
            attempts_made=Coalesce(Sum("attempts"), 0),
            parts_made=Coalesce(Sum("parts", filter=Q(sent_at__isnull=False)), 0),
            handed_p50_s=Median(seconds("sent_at")),
            handed_p95_s=Late(seconds("sent_at")),
            arrived_p50_s=Median(seconds("delivered_at")),
            arrived_p95_s=Late(seconds("delivered_at")),
        )
    )
    figures = []
    for row in rows:
        row["channel"], row["attempts"], row["parts"] = Channel(row["channel"]), row.pop("attempts_made"), row.pop("parts_made")
        figures.append(ChannelFigure(**row))
    return sorted(figures, key=lambda figure: Channel.values.index(figure.channel))
