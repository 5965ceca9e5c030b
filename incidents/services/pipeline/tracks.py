"""Hot spots keep their identity from run to run: each sighting is tied to its track before it is stored, and what changed is announced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from pyproj import Transformer

from core.events import publish
from geography.models import Region
from incidents import events
from incidents.analytics.tracks import MERGED, SPLIT, Followed, Sighting, follow
from incidents.models import HotSpot, HotSpotTrack, PipelineRun

RETURNS_WITHIN = timedelta(days=14)
Change = HotSpot.Change
ANNOUNCED = frozenset([Change.BORN, Change.MERGED, Change.SPLIT, Change.RETURNED])


def keep_tracks(*, rows: Sequence[Any], run: PipelineRun, region: Region, part: str, is_current: bool) -> None:
    """Say of each hot spot of ``rows`` which track it belongs to, move the tracks on, and announce births, mergers, splits and ends.

    Called in the transaction that stores the rows, which holds the region's row locked, just before they are stored: a sighting never
    changes afterwards. A look back from before what stands now touches no track. Where a region's category is looked at for the first
    time, every hot spot is new and none is announced.
    """
    if not is_current:
        return
    spots = [row for row in rows if isinstance(row, HotSpot)]
    reach_m = float(run.parameters.get("eps_m", 300.0))
    forward = Transformer.from_crs(4326, region.metric_srid, always_xy=True)
    tracks = HotSpotTrack.objects.filter(region=region, category=part)
    is_first = not tracks.exists()
    standing = list(
        HotSpot.objects.filter(region=region, category=part, is_current=True, track__isnull=False)
        .select_related("track")
        .order_by("track_id")
    )
    seen = [_sighting(spot, forward) for spot in spots]
    followed, gone = follow([_sighting(spot, forward) for spot in standing], seen, reach_m=reach_m)
    returned = _returned(tracks, run, spots, seen, followed, forward, reach_m)
    newborn: list[HotSpotTrack] = []
    mine: list[HotSpotTrack] = []
    for position, (spot, what) in enumerate(zip(spots, followed, strict=True)):
        spot.change = what.change
        if what.same_as is not None:
            track = _track(standing[what.same_as])
        elif position in returned:
            track, spot.change = returned[position], Change.RETURNED
        else:
            origin = standing[what.split_from].track if what.split_from is not None else None
            track = HotSpotTrack(region=region, category=part, born_at=run.as_of, last_seen_at=run.as_of, split_from=origin)
            newborn.append(track)
        spot.track = track
        mine.append(track)
    HotSpotTrack.objects.bulk_create(newborn)
    HotSpotTrack.objects.filter(pk__in=[track.pk for track in mine]).update(last_seen_at=run.as_of, gone_at=None)
    for spot, what in zip(spots, followed, strict=True):
        merged = [_track(standing[i]).pk for i in what.merged]
        HotSpotTrack.objects.filter(pk__in=merged).update(gone_at=run.as_of, merged_into=spot.track)
        if spot.change in ANNOUNCED and not is_first:
            _announce(spot, spot.change, part, merged=merged if what.change == MERGED else None, split=what.change == SPLIT)
    HotSpotTrack.objects.filter(pk__in=[_track(standing[i]).pk for i in gone]).update(gone_at=run.as_of)
    for i in gone:
        _announce(standing[i], "gone", part)


def _returned(
    tracks: Any,
    run: PipelineRun,
    spots: Sequence[HotSpot],
    seen: Sequence[Sighting],
    followed: Sequence[Followed],
    forward: Transformer,
    reach_m: float,
) -> dict[int, HotSpotTrack]:
    """New hot spots where one was that has been gone for two weeks at most: a place one incident short for a night is still that place."""
    new = [position for position, what in enumerate(followed) if what.change == Change.BORN]
    away = tracks.filter(gone_at__isnull=False, gone_at__gte=run.as_of - RETURNS_WITHIN, merged_into__isnull=True)
    if not new or not away.exists():
        return {}
    last = list(
        HotSpot.objects.filter(track__in=away).select_related("track").order_by("track_id", "-window_to", "-pk").distinct("track_id")
    )
    again, _ = follow([_sighting(spot, forward) for spot in last], [seen[position] for position in new], reach_m=reach_m)
    return {position: _track(last[what.same_as]) for position, what in zip(new, again, strict=True) if what.same_as is not None}


def _track(spot: HotSpot) -> HotSpotTrack:
    if spot.track is None:
        raise TypeError("a sighting without a track is asked for here")
    return spot.track


def _sighting(spot: HotSpot, forward: Transformer) -> Sighting:
    ring = np.array(spot.hull.exterior_ring.coords, dtype=np.float64)
    x, y = forward.transform(ring[:, 0], ring[:, 1])
    centre_x, centre_y = forward.transform(spot.centre.x, spot.centre.y)
    return Sighting(np.stack([x, y], axis=1), (float(centre_x), float(centre_y)), spot.incident_count)


def _announce(spot: HotSpot, change: str, category: str, *, merged: list[int] | None = None, split: bool = False) -> None:
    data: dict[str, Any] = {"track": _track(spot).pk, "change": str(change), "category": category}
    if merged is not None:
        data["merged"] = merged
    if split:
        data["split_from"] = _track(spot).split_from_id
    publish(events.HOT_SPOT_CHANGED, subject=spot.track, data=data, governorate_id=spot.governorate_id)
