"""What would happen: whom a policy would page, and when, if an alert fired at a chosen moment and nobody acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from alerts.analytics.escalating import Place, Then, after, applies
from alerts.models import PolicyStep
from alerts.services.escalation.targets import TO_PEOPLE, Target, fallback_of, resolve
from alerts.services.escalation.wording import what

MOST_SHOWN = 60


@dataclass(frozen=True)
class Moment:
    """One step of the story. ``outcome``: told, nobody, skipped, waits, other (a task, a webhook), end."""

    at: datetime
    after_s: float
    what: str
    outcome: str
    loop: int = 1
    repeat: int = 1
    targets: list[Target] = field(default_factory=list)
    is_fallback: bool = False


@dataclass(frozen=True)
class Somewhere:
    """An alert that might be: all that the steps ask of one."""

    agency_id: int | None
    governorate_id: int | None
    level: str


def foresee(snapshot: Mapping[str, Any], *, at: datetime, alert: Any) -> list[Moment]:
    """Walk through the policy as the pager would, reading duties and schedules as they stand for each moment, and change nothing."""
    steps = snapshot.get("steps") or []
    story: list[Moment] = []
    moment, has_fallen_back = at, False
    then = Then(Place() if steps else None, 0.0)
    while then.place is not None and len(story) < MOST_SHOWN:
        place, step = then.place, steps[then.place.step_no]
        local = moment.astimezone(ZoneInfo(settings.TIME_ZONE))
        targets: list[Target] = []
        if not applies(step, local=local, level=alert.level):
            outcome = "skipped"
        elif step["kind"] in TO_PEOPLE:
            targets = resolve(step, alert, moment)
            outcome = "told" if any(target.is_reachable for target in targets) else "nobody"
        else:
            outcome = "waits" if step["kind"] == PolicyStep.Kind.WAIT else "other"
        late_s = (moment - at).total_seconds()
        story.append(Moment(moment, late_s, what(step), outcome, loop=place.loop + 1, repeat=place.repeat_no + 1, targets=targets))
        if outcome == "nobody" and not has_fallen_back and (spare := fallback_of(snapshot)):
            has_fallen_back = True
            story.append(Moment(moment, late_s, "", "told", loop=place.loop + 1, targets=spare, is_fallback=True))
        then = after(snapshot, place, moves_on=outcome in {"nobody", "skipped"})
        moment += timedelta(seconds=then.wait_s)
    if then.place is None:
        spare = [] if has_fallen_back else fallback_of(snapshot)
        story.append(Moment(moment, (moment - at).total_seconds(), "", "end", targets=spare, is_fallback=bool(spare)))
    return story
