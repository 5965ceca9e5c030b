"""What a run has to do: a step per kind, region and part, and one for each part whose results stand though it is no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from geography.models import Region
from incidents.models import PipelineRun, PipelineStep
from incidents.services.pipeline.settings import Moment, Parameters
from incidents.services.pipeline.steps import Kind, Task, has_standing


@dataclass(frozen=True)
class Planned:
    kind: str
    region: Region
    part: str = ""
    is_retiring: bool = False
    """Nothing is computed: what stands of this part stands no more."""

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


def plan(run: PipelineRun, kinds: Mapping[str, Kind]) -> list[Planned]:
    """Every step of ``run``."""
    regions = Region.objects.order_by("-is_default", "code")
    if run.parameters.get("regions") is not None:
        regions = regions.filter(code__in=run.parameters["regions"])
    chosen = [name for name in kinds if run.parameters.get("only") is None or name in run.parameters["only"]]
    planned: list[Planned] = []
    for region in regions:
        for name in chosen:
            parts = list(kinds[name].parts(task_of(run, region)))
            planned += [Planned(name, region, part) for part in parts]
            planned += [Planned(name, region, part, is_retiring=True) for part in _left_over(name, kinds[name], region, parts)]
    return planned


def _left_over(name: str, kind: Kind, region: Region, parts: list[str]) -> list[str]:
    """Parts that earlier runs had and this one has not, whose results stand still."""
    whole = step_name(name, region)
    had = PipelineStep.objects.filter(name__startswith=f"{whole}:", status=PipelineRun.Status.DONE)
    names = had.order_by("name").values_list("name", flat=True).distinct()
    gone = sorted({before.removeprefix(f"{whole}:") for before in names} - set(parts))
    return [part for part in gone if has_standing(kind, region=region, part=part)]
