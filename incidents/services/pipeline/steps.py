"""What every step shares: what it is asked, what it gives back, and how its results take the place of the last ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Max, Model, Q

from geography.models import Region
from incidents.models import Incident, PipelineRun
from incidents.services.pipeline.settings import Moment, Parameters


@dataclass(frozen=True)
class Task:
    """One region, one kind of result, at one moment. ``beat`` is called often by whatever takes long: it keeps the step's lease, and
    raises where the run was cancelled. ``part`` is what this step of a kind is about, where the kind has several (a category, a horizon).
    """

    region: Region
    moment: Moment
    parameters: Parameters
    beat: Callable[[], None]
    part: str = ""


@dataclass(frozen=True)
class Outcome:
    """Unsaved rows (of any of the kind's models) and the figures that go with them."""

    rows: Sequence[Any]
    counts: dict[str, Any] = field(default_factory=dict)


class Step(Protocol):
    def __call__(self, task: Task) -> Outcome: ...


@dataclass(frozen=True)
class Kind:
    """A kind of step: how it is computed, the tables its rows go to, and which rows there are its own.

    ``parts`` names what one region's work is split into (each its own step, so that several workers share it); ``scope`` says which
    rows of ``model`` one part's results take the place of.
    """

    step: Step
    models: tuple[type[Model], ...]
    counted_as: str
    parts: Callable[[Task], Sequence[str]] = lambda task: ("",)
    scope: Callable[[type[Model], str], Q] = lambda model, part: Q()


def publish_results(kind: Kind, rows: Sequence[Any], *, run: PipelineRun, region: Region, part: str = "") -> bool:
    """Store ``rows`` and, unless results from a later moment stand already, let them take the place of the current ones.

    Nothing is deleted or rewritten: what was issued stays as it was issued. Call it inside a transaction. Returns whether they are
    current.
    """
    # One switch at a time in a region, so that of two runs the later moment stays.
    Region.objects.select_for_update(no_key=True).get(pk=region.pk)
    standing = {model: model._default_manager.filter(kind.scope(model, part), region=region, is_current=True) for model in kind.models}
    newest = [found for rows_now in standing.values() if (found := rows_now.aggregate(at=Max("run__as_of"))["at"]) is not None]
    is_current = not newest or max(newest) <= run.as_of
    for model, rows_now in standing.items():
        if is_current:
            rows_now.update(is_current=False)
        mine: list[Any] = [row for row in rows if isinstance(row, model)]
        for row in mine:
            row.run, row.region, row.is_current = run, region, is_current
        model._default_manager.bulk_create(mine, batch_size=1000)
    return is_current


def newest_incident(region: Region, *, before: datetime) -> datetime | None:
    return Incident.objects.modelled().filter(region=region, occurred_at__lt=before).aggregate(at=Max("occurred_at"))["at"]
