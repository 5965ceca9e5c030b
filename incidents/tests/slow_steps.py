"""Slow steps in place of the real ones, for processes that tests kill: ``python -m incidents.tests.slow_steps nightly|due [ISO]``.

Imported by a Celery worker (``--include``), it does the same there.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime

import django
from django.apps import apps

PARTS = ("p0", "p1", "p2", "p3", "p4", "p5")
SECONDS = float(os.environ.get("STEP_SECONDS", "0.3"))


def use_slow_steps() -> None:
    from django.db.models import Q

    from incidents.models import NearRepeat
    from incidents.services.pipeline import kinds
    from incidents.services.pipeline.steps import Kind, Outcome, Task

    def slow(task: Task) -> Outcome:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            task.beat()
            time.sleep(0.02)
        at = task.moment.instant
        row = NearRepeat(
            category=task.part,
            within_m=100,
            within_days=7,
            incident_count=1,
            observed_pairs=1,
            expected_pairs=1,
            permutations=9,
            seed=1,
            learnt_from=at,
            learnt_to=at,
        )
        return Outcome([row], {"made": 1})

    kinds.KINDS = {"slow": Kind(slow, (NearRepeat,), "made", parts=lambda task: PARTS, scope=lambda model, part: Q(category=part))}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
    django.setup()
    use_slow_steps()
    from incidents.services import pipeline

    now = datetime.fromisoformat(sys.argv[2])
    if sys.argv[1] == "nightly":
        pipeline.run_pipeline(trigger="nightly", as_of=now)
    else:
        pipeline.run_due_pipelines(now=now)
elif apps.ready and os.environ.get("SLOW_STEPS"):
    use_slow_steps()
