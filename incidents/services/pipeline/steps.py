"""What every step shares: what it is asked, what it gives back, and how its results take the place of the last ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Max, Model, Q, QuerySet

from geography.models import Region
from incidents.models import Incident, ModelCard, PipelineRun
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


class Hook(Protocol):
    """Called in the transaction that stores a step's rows, with their run, region and ``is_current`` set."""

    def __call__(self, *, rows: Sequence[Any], run: PipelineRun, region: Region, part: str, is_current: bool) -> None: ...


@dataclass(frozen=True)
class Kind:
    """A kind of step: how it is computed, the tables its rows go to, and which rows there are its own.

    ``parts`` names what one region's work is split into, each its own step, so that several workers share it. ``scope`` says which rows
    of a model one part's results take the place of; parts must not share rows. A part that is not named any more is retired: a step of
    its own takes its rows out of what stands. Two kinds that write to one model each need a ``scope``.

    ``before`` is called just before the rows are stored (to make what they point at), ``after`` just after. ``counted_as`` is the
    figure of a step's counts that is summed up for the run.
    """

    step: Step
    models: tuple[type[Model], ...]
    counted_as: str
    parts: Callable[[Task], Sequence[str]] = lambda task: ("",)
    scope: Callable[[type[Model], str], Q] = lambda model, part: Q()
    before: Hook | None = None
    after: Hook | None = None


def publish_results(kind: Kind, rows: Sequence[Any], *, run: PipelineRun, region: Region, part: str = "") -> bool:
    """Store ``rows`` and, unless results from a later moment stand already, let them take the place of the current ones.

    Nothing is deleted or rewritten: what was issued stays as it was issued. Call it inside a transaction. Returns whether they are
    current.
    """
    # One switch at a time in a region, so that of two runs the later moment stays.
    Region.objects.select_for_update(no_key=True).get(pk=region.pk)
    standing = {model: standing_rows(kind, model, region=region, part=part) for model in kind.models if _can_stand(model)}
    newest = [found for rows_now in standing.values() if (found := rows_now.aggregate(at=Max("run__as_of"))["at"]) is not None]
    is_current = not newest or max(newest) <= run.as_of
    for row in rows:
        row.run, row.region = run, region
        if _can_stand(type(row)):
            row.is_current = is_current
    if kind.before is not None:
        kind.before(rows=rows, run=run, region=region, part=part, is_current=is_current)
    if is_current:
        for rows_now in standing.values():
            rows_now.update(is_current=False)
    for model, mine in _by_model(kind, rows).items():
        model._default_manager.bulk_create(mine, batch_size=1000)
    if kind.after is not None:
        kind.after(rows=rows, run=run, region=region, part=part, is_current=is_current)
    return is_current


def standing_rows(kind: Kind, model: type[Model], *, region: Region, part: str) -> QuerySet[Any]:
    return model._default_manager.filter(kind.scope(model, part), region=region, is_current=True)


def has_standing(kind: Kind, *, region: Region, part: str) -> bool:
    return any(standing_rows(kind, model, region=region, part=part).exists() for model in kind.models if _can_stand(model))


def _can_stand(model: type[Model]) -> bool:
    return any(field.name == "is_current" for field in model._meta.fields)


def _by_model(kind: Kind, rows: Sequence[Any]) -> dict[type[Model], list[Any]]:
    """In the order of the kind's models, so that one may point at another; every step may return model cards beside them."""
    models: tuple[type[Model], ...] = (*kind.models, ModelCard)
    sorted_rows: dict[type[Model], list[Any]] = {model: [] for model in models}
    for row in rows:
        if type(row) not in sorted_rows:
            raise TypeError(f"a {type(row).__name__} is none of this kind's models")
        sorted_rows[type(row)].append(row)
    return sorted_rows


def newest_incident(region: Region, *, before: datetime) -> datetime | None:
    return Incident.objects.modelled().filter(region=region, occurred_at__lt=before).aggregate(at=Max("occurred_at"))["at"]
