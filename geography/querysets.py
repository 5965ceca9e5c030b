from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.contrib.gis.geos import Point
from django.db import models
from django.utils.translation import get_language

if TYPE_CHECKING:
    from geography.models import Zone  # noqa: F401


class ZoneQuerySet(models.QuerySet["Zone"]):
    def in_use(self) -> ZoneQuerySet:
        return self.filter(is_active=True)

    def level(self, level: str) -> ZoneQuerySet:
        return self.in_use().filter(level=level)

    def among(self, governorate_ids: Collection[int] | None) -> ZoneQuerySet:
        """Those that a viewer of these governorates may be offered: the governorates and what lies in them; ``None`` is all.

        The country is everybody's. Callers pass ``jurisdiction_of(viewer).governorate_ids``.
        """
        if governorate_ids is None:
            return self
        ids = sorted(governorate_ids)
        return self.filter(
            models.Q(level="country") | models.Q(pk__in=ids) | models.Q(parent_id__in=ids) | models.Q(parent__parent_id__in=ids)
        )

    def names(self) -> ZoneQuerySet:
        """Light rows for filters and lists: no shapes, by name in the language of the page."""
        name = "name_ar" if (get_language() or "").startswith("ar") else "name_en"
        return self.in_use().defer("boundary").order_by(name)

    def containing(self, point: Point) -> ZoneQuerySet:
        """Zones in use whose boundary covers ``point`` (4326)."""
        return self.in_use().filter(boundary__covers=point)
