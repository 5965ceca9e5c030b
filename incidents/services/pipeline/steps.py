"""What every step shares: what it is asked, what it gives back, and how its results take the place of the last ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Max

from geography.models import Region
from incidents.models import Forecast, HotSpot, Incident, PipelineRun
from incidents.services.pipeline.settings import Moment, Parameters


@dataclass(frozen=True)
class Task:
    """One region, one kind of result, at one moment. ``beat`` is called often by whatever takes long."""

    region: Region
    moment: Moment
    parameters: Parameters
    beat: Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """Unsaved rows and the figures that go with them."""

    rows: Sequence[HotSpot] | Sequence[Forecast]
    counts: dict[str, Any] = field(default_factory=dict)


class Step(Protocol):
    def __call__(self, task: Task) -> Outcome: ...


def publish_results(model: type[HotSpot] | type[Forecast], rows: Sequence[Any], *, run: PipelineRun, region: Region) -> bool:
    """Store ``rows`` and, unless results from a later moment stand already, let them take the place of the current ones.

    Nothing is deleted: a forecast stays as it was issued. Call it inside a transaction. Returns whether they are current.
    """
    # One switch at a time in a region, so that of two runs the later moment stays.
    Region.objects.select_for_update(no_key=True).get(pk=region.pk)
    standing = model._default_manager.filter(region=region, is_current=True)
    newest = standing.aggregate(at=Max("run__as_of"))["at"]
    is_current = newest is None or newest <= run.as_of
    # A step run twice (cut off after its results were stored by an older release) replaces its own rows.
    model._default_manager.filter(run=run, region=region).delete()
    if is_current:
        standing.update(is_current=False)
    for row in rows:
        row.run = run
        row.region = region
        row.is_current = is_current
    model._default_manager.bulk_create(rows, batch_size=1000)
    return is_current


def newest_incident(region: Region, *, before: datetime) -> datetime | None:
    return Incident.objects.modelled().filter(region=region, occurred_at__lt=before).aggregate(at=Max("occurred_at"))["at"]
