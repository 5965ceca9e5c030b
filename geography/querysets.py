from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.gis.geos import Point
from django.db import models

if TYPE_CHECKING:
    from geography.models import Zone  # noqa: F401


class ZoneQuerySet(models.QuerySet["Zone"]):
    def in_use(self) -> ZoneQuerySet:
        return self.filter(is_active=True)

    def level(self, level: str) -> ZoneQuerySet:
        return self.in_use().filter(level=level)

    def containing(self, point: Point) -> ZoneQuerySet:
        """Zones in use whose boundary covers ``point`` (4326)."""
        return self.in_use().filter(boundary__covers=point)
