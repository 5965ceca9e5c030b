"""A score made again: from what its own row keeps, and from the tables it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Agency
from core.errors import NotFound
from geography.models import Zone
from iot.analytics.risk import Evidence, Making, Score, risk
from iot.models import ZoneRisk
from iot.services.risk.evidence import gather
from iot.services.risk.scoring import digest_of, scored_zones

NEAR = 0.01


@dataclass(frozen=True)
class Replay:
    """``stored`` as it was written, ``by_row`` from the evidence in its row, ``by_tables`` from readings, outages and incidents as they
    stand now. The last may differ where readings came late, incidents were imported or a device was moved since: ``is_unchanged`` says
    whether what was found is the same."""

    row: ZoneRisk
    by_row: Score
    by_tables: float | None
    is_unchanged: bool

    @property
    def is_same(self) -> bool:
        return self.row.score is None or abs(self.by_row.score - self.row.score) < NEAR


def replay_risk(*, zone: Zone, agency: Agency, at: datetime) -> Replay:
    """Make the score that stood in ``zone`` at ``at`` again."""
    row = ZoneRisk.objects.filter(zone=zone, agency=agency, at__lte=at).select_related("making").order_by("-at").first()
    if row is None:
        raise NotFound(_("No score was kept for this zone at that time."))
    making = Making.from_dict(row.making.content)
    mine = [
        one
        for one in scored_zones(gather(at=row.at, making=making, zones=[zone.pk]), at=row.at, making=making)
        if (one.zone_id, one.agency_id) == (zone.pk, agency.pk)
    ]
    found = mine[0] if mine else None
    is_unchanged = found is not None and digest_of(found, row.making.digest) == row.digest
    return Replay(row, score_of_row(row), found.value if found is not None else None, is_unchanged)


def score_of_row(row: ZoneRisk, *, at: datetime | None = None) -> Score:
    """The score from what a row keeps, at its own moment or at a later one, as if nothing came since: what goes on goes on, what has
    ended fades."""
    now = at or row.at
    making = Making.from_dict(row.making.content)
    known = [
        Evidence(part["name"], line["key"], line["at"], line["amount"], line["until"]) for part in row.parts for line in part["evidence"]
    ]
    passed = (now - row.at).total_seconds()
    beside = {part["name"]: part["more"]["value"] * 0.5 ** (passed / part["half_life_s"]) for part in row.parts}
    return risk(known, now_s=now.timestamp(), making=making, spread=row.spread, beside=beside)
