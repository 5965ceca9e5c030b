"""What a run has to do: a step per kind, region and part, and one for each part whose results stand though it is no more."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone

from geography.models import Region
from incidents.models import PipelineRun, PipelineStep
from incidents.services.pipeline import kinds
from incidents.services.pipeline.settings import Moment, Parameters
from incidents.services.pipeline.steps import Kind, Task, has_standing

logger = logging.getLogger(__name__)
Status = PipelineRun.Status


@dataclass(frozen=True)
class Planned:
    kind: str
    region: Region
    part: str = ""
    is_retiring: bool = False
    """Nothing is computed: what stands of this part stands no more."""
    error: str = ""
    """Why the kind could not say its parts."""

    @property
    def name(self) -> str:
        return step_name(self.kind, self.region, self.part)


def step_name(kind: str, region: Region, part: str = "") -> str:
    return f"{kind}:{region.code}:{part}" if part else f"{kind}:{region.code}"


def task_of(run: PipelineRun, region: Region, part: str = "") -> Task:
    """What the step of ``region`` and ``part`` is asked; without a lease yet."""
    day = run.parameters.get("as_of_day")
    moment = Moment(run.as_of, date.fromisoformat(day) if day else None)
    return Task(region, moment, Parameters.of(run.parameters), beat=lambda: None, part=part)


@transaction.atomic
def plan_run(run: PipelineRun) -> int:
    """Write down the steps of a run that waits, and let it go on. How many there are; 0 when somebody else has planned it."""
    locked = PipelineRun.objects.select_for_update(no_key=True).filter(pk=run.pk, status=Status.WAITING).first()
    if locked is None:
        return 0
    planned = steps_of(locked)
    took = _last_time([todo.name for todo in planned])
    PipelineStep.objects.bulk_create(
        PipelineStep(
            run=locked,
            name=todo.name,
            status=Status.FAILED if todo.error else Status.WAITING,
            error=todo.error,
            is_retiring=todo.is_retiring,
            expected_seconds=took.get(todo.name),
        )
        for todo in planned
    )
    locked.status, locked.began_at = Status.RUNNING, timezone.now()
    locked.save(update_fields=["status", "began_at"])
    return len(planned)


def steps_of(run: PipelineRun) -> list[Planned]:
    regions = Region.objects.order_by("-is_default", "code")
    if run.parameters.get("regions") is not None:
        regions = regions.filter(code__in=run.parameters["regions"])
    only = run.parameters.get("only")
    chosen = {name: kind for name, kind in kinds.KINDS.items() if only is None or name in only}
    return [todo for region in regions for name, kind in chosen.items() for todo in _split(run, region, name, kind)]


def _split(run: PipelineRun, region: Region, name: str, kind: Kind) -> list[Planned]:
    """The steps of one kind in one region. A kind that cannot say its parts is one failed step, and the others go on."""
    try:
        with transaction.atomic():
            parts = list(kind.parts(task_of(run, region)))
            gone = _left_over(name, kind, region, parts)
    except Exception as error:
        logger.exception("%s of %s cannot be planned", name, region.code)
        return [Planned(name, region, error=f"{type(error).__name__}: {error}"[:2000])]
    return [*(Planned(name, region, part) for part in parts), *(Planned(name, region, part, is_retiring=True) for part in gone)]


def _left_over(name: str, kind: Kind, region: Region, parts: list[str]) -> list[str]:
    """Parts that earlier runs had and this one has not, whose results stand still."""
    whole = step_name(name, region)
    had = PipelineStep.objects.filter(name__startswith=f"{whole}:", status=Status.DONE)
    names = had.order_by("name").values_list("name", flat=True).distinct()
    gone = sorted({before.removeprefix(f"{whole}:") for before in names} - set(parts))
    return [part for part in gone if has_standing(kind, region=region, part=part)]


def _last_time(names: list[str]) -> dict[str, float]:
    """Seconds each step took when it was last done."""
    done = PipelineStep.objects.filter(name__in=names, status=Status.DONE, seconds__isnull=False)
    newest = done.order_by("name", "-id").distinct("name").values_list("name", "seconds")
    return {name: seconds for name, seconds in newest if seconds is not None}
