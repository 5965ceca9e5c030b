"""Sealing a trial before it begins, by a second person; stopping it; and whether the seal still holds."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, NotAllowed
from core.events import publish
from geography.models import Zone
from patrol import events
from patrol.models import Trial
from patrol.permissions import Actor, require
from patrol.services.acting import reasoned

_DESIGN = (
    "name", "hypothesis", "category", "baseline_days", "holdout_share", "strata", "buffer_cells", "seed",
    "srid", "origin_x_m", "origin_y_m", "cell_m", "parameters",
)  # fmt: skip


def sealed_text(trial: Trial) -> str:
    """What the seal is taken of: the design and every cell with its arm, as JSON in one fixed form."""
    cells = trial.cells.order_by("column", "row").values_list("column", "row", "arm", "stratum", "baseline_count")
    facts: dict[str, Any] = {name: getattr(trial, name) for name in _DESIGN}
    facts |= {
        "region": trial.region.code,
        "agency": trial.agency.slug,
        "governorate": trial.governorate.code,
        "starts_at": trial.starts_at.astimezone(UTC).isoformat(),
        "ends_at": trial.ends_at.astimezone(UTC).isoformat(),
        "cells": [list(cell) for cell in cells],
    }
    return json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def seal_of(trial: Trial) -> str:
    return hashlib.sha256(sealed_text(trial).encode()).hexdigest()


def seal_holds(trial: Trial) -> bool:
    """Whether the trial in the tables is still the one that was sealed."""
    return bool(trial.sealed_sha256) and seal_of(trial) == trial.sealed_sha256


@transaction.atomic
def seal_trial(*, trial: Trial, by: Actor | None, now: datetime) -> Trial:
    """From here on neither the draw nor the period changes, and planning leaves the cells held out alone."""
    require(by, "run_trial", trial)
    person = getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None
    if person is not None and person == trial.created_by_id:
        raise NotAllowed(_("Another person seals it than the one who drew it."))
    # One seal at a time in a governorate, so that two trials never hold out the same ground.
    Zone.objects.select_for_update(no_key=True).only("pk").get(pk=trial.governorate_id)
    if now >= trial.starts_at:
        raise Conflict(_("Its period has begun: a trial is sealed before. Draw another."))
    others = Trial.objects.filter(governorate=trial.governorate_id, agency=trial.agency_id, sealed_at__isnull=False, stopped_at=None)
    other = others.exclude(pk=trial.pk).filter(starts_at__lt=trial.ends_at, ends_at__gt=trial.starts_at).first()
    if other is not None:
        raise Conflict(_("The trial “%(name)s” runs here in that time.") % {"name": other.name})
    seal = seal_of(trial)
    changed = Trial.objects.filter(pk=trial.pk, state=Trial.State.DRAFT).update(
        state=Trial.State.SEALED, sealed_at=now, sealed_by_id=person, sealed_sha256=seal
    )
    if not changed:
        raise Conflict(_("It is no draft any more."))
    trial.refresh_from_db(fields=["state", "sealed_at", "sealed_by", "sealed_sha256"])
    arms = list(trial.cells.values_list("arm", flat=True))
    audit.record("trial.seal", obj=trial, by=by, after={"sha256": seal})
    publish(
        events.TRIAL_SEALED,
        subject=trial,
        data={"trial": trial.pk, "treatment": arms.count("treatment"), "control": arms.count("control")},
        agency_id=trial.agency_id,
        governorate_id=trial.governorate_id,
    )
    return trial


@transaction.atomic
def stop_trial(*, trial: Trial, by: Actor | None, reason: str, now: datetime) -> Trial:
    """Put a draft away, or end a sealed trial: its cells are patrolled again, and no effect will be reported of it."""
    require(by, "run_trial", trial)
    reason = reasoned(reason)
    open_states = [Trial.State.DRAFT, Trial.State.SEALED]
    changed = Trial.objects.filter(pk=trial.pk, state__in=open_states).update(
        state=Trial.State.STOPPED, stopped_at=now, stopped_because=reason
    )
    if not changed:
        raise Conflict(_("It has ended already."))
    trial.refresh_from_db(fields=["state", "stopped_at", "stopped_because"])
    audit.record("trial.stop", obj=trial, by=by, reason=reason)
    return trial
