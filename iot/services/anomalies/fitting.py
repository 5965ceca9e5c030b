"""Each night, profile by profile: learn what is usual, keep it as a version with its figures, or say why it cannot be learnt."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max
from numpy.typing import NDArray

from core.version import code_version
from iot.analytics.hourly import DAY_H, Hours
from iot.analytics.nightly import CONFIDENCE, SHARE, Corrupt, Fitted, Learnt, TooLittle, learn
from iot.models import Anomaly, DeviceProfile, ProfileFit
from iot.models.anomalies import BY_THE_HOUR
from iot.services.anomalies.hours import Asked, Streams, asked_of, hour_of, read_hours, streams_of, time_of

logger = logging.getLogger(__name__)

DAYS, LEAST_DAYS, LEAST_DEVICES = 28, 14, 10
HELD_DAYS, HELD_DAYS_OF_FEW = 7, 4  # the second below three weeks of history
SPOKE = 0.5  # of the streams: a day on which fewer did is no day of history
KEPT = 7  # fitted versions of each profile; of those with nothing in them as many
SEED = 1
Why, State = ProfileFit.Why, ProfileFit.State


def fit_profiles(*, now: datetime) -> list[ProfileFit]:
    """All profiles in use, one after the other; what one lacks does not keep another from being learnt."""
    return [fit_profile(profile=profile, now=now) for profile in DeviceProfile.objects.filter(is_active=True).order_by("pk")]


def fit_profile(*, profile: DeviceProfile, now: datetime) -> ProfileFit:
    """Learn from the days before this one; the version before stays in use where this night has too little."""
    began = time.monotonic()
    last = hour_of(now) // DAY_H * DAY_H
    first = last - DAYS * DAY_H
    row = ProfileFit(profile=profile, at=now, since=time_of(first), until=time_of(last), code_version=code_version(), state=State.FITTED)
    asked = asked_of(profile)
    try:
        streams = _streams(profile, asked, row, now)
        hours = read_hours(streams, first=first, last=last, every_s=profile.expected_every_s)
        days = _days_of(hours)
        if days < LEAST_DAYS:
            raise TooLittle(Why.FEW_DAYS, days, LEAST_DAYS)
        held = HELD_DAYS if days >= LEAST_DAYS + HELD_DAYS else HELD_DAYS_OF_FEW
        learnt = learn(hours, streams=streams.ids, held_days=held, is_left_out=_troubled(streams, row), seed=SEED)
    except TooLittle as reason:
        row.state, row.why, row.facts = State.TOO_LITTLE, reason.why, {"have": reason.have, "needs": reason.needs}
    else:
        row.model = learnt.fitted.as_bytes()
        row.digest, row.facts = hashlib.sha256(row.model).hexdigest(), _facts(learnt, asked, days, held)
    row.seconds = round(time.monotonic() - began, 3)
    return _keep(row)


def _streams(profile: DeviceProfile, asked: Mapping[int, Asked], row: ProfileFit, now: datetime) -> Streams:
    """Of real devices, where there are any: made-up ones are judged by themselves."""
    if not asked:
        raise TooLittle(Why.NO_METRICS, 0, 1)
    real = streams_of(profile, list(asked), now=now, is_synthetic=False)
    streams = real if len(real) else streams_of(profile, list(asked), now=now, is_synthetic=True)
    row.devices, row.is_synthetic = streams.devices, bool(len(streams)) and not len(real)
    if row.devices < LEAST_DEVICES:
        raise TooLittle(Why.FEW_DEVICES, row.devices, LEAST_DEVICES)
    return streams


def _days_of(hours: Hours) -> int:
    heard = np.isfinite(hours.mean).reshape(len(hours.mean), -1, DAY_H).any(axis=2)
    return int((heard.mean(axis=0) >= SPOKE).sum())


def _troubled(streams: Streams, row: ProfileFit) -> NDArray[np.bool_]:
    """Days on which another detector, or a rule, found something on the device that nobody called noise."""
    answer = np.zeros((len(streams), DAYS), dtype=bool)
    found = Anomaly.objects.filter(device__profile=row.profile, began_at__lt=row.until, last_at__gte=row.since).order_by()
    found = found.exclude(detector__in=BY_THE_HOUR).exclude(feedback=Anomaly.Feedback.NOISE)
    for device, began, ended in found.values_list("device_id", "began_at", "last_at"):
        first, last = (int((at - row.since) / timedelta(days=1)) for at in (max(began, row.since), min(ended, row.until)))
        answer[streams.device == device, first : last + 1] = True
    return answer


def _facts(learnt: Learnt, asked: Mapping[int, Asked], days: int, held: int) -> dict[str, Any]:
    """The card: what it was made from, how, and what its held-out days say of false alarms."""
    metrics = [
        {"metric": asked[pk].metric.code, "limit": round(one.limit, 4), "held_days": one.days, "alarms": one.alarms, "bound": one.bound}
        for pk, one in learnt.bounds.items()
    ]
    left_out = [
        {"metric": asked[pk].metric.code, "why": one.why, "have": one.have, "needs": one.needs} for pk, one in learnt.left_out.items()
    ]
    return {
        "metrics": metrics, "left_out": left_out, "days": days, "held_out_days": held, "rows": learnt.rows, "seed": SEED,
        "trees": len(learnt.fitted.forest.roots), "share": SHARE, "confidence": CONFIDENCE,
    }  # fmt: skip


@transaction.atomic
def _keep(row: ProfileFit) -> ProfileFit:
    theirs = ProfileFit.objects.filter(profile=row.profile)
    DeviceProfile.objects.select_for_update(no_key=True).get(pk=row.profile_id)
    row.version = (theirs.aggregate(last=Max("version"))["last"] or 0) + 1
    if row.state == State.FITTED:
        theirs.current().update(is_current=False)
        row.is_current = True
    row.save(force_insert=True)
    for fitted in (True, False):
        same = theirs.filter(state=State.FITTED) if fitted else theirs.exclude(state=State.FITTED)
        old = list(same.order_by("-version").values_list("pk", flat=True)[KEPT:])
        theirs.filter(pk__in=old, is_current=False).delete()
    return row


def current_fit(profile: DeviceProfile) -> tuple[ProfileFit, Fitted] | None:
    """What the profile goes by. A version that is not what was written is refused for good, and the one before it taken up."""
    while (row := ProfileFit.objects.current().filter(profile=profile).first()) is not None:
        try:
            return row, _read(row)
        except Corrupt as error:
            logger.error("version %d of what was learnt of %s is refused: %s", row.version, profile.code, error)
            refuse_fit(fit=row)
    return None


def _read(row: ProfileFit) -> Fitted:
    held = bytes(row.model or b"")
    if hashlib.sha256(held).hexdigest() != row.digest:
        raise Corrupt("its digest differs")
    return Fitted.from_bytes(held)


@transaction.atomic
def refuse_fit(*, fit: ProfileFit) -> None:
    """It is not gone by any more; the newest fitted version before it is."""
    ProfileFit.objects.filter(pk=fit.pk).update(state=State.REFUSED, why=Why.CORRUPT, is_current=False)
    before = ProfileFit.objects.fitted().filter(profile=fit.profile_id, version__lt=fit.version, model__isnull=False)
    if (pk := before.order_by("-version").values_list("pk", flat=True).first()) is not None:
        ProfileFit.objects.filter(pk=pk).update(is_current=True)
