"""The lists handed to patrol in words, as their page and their files show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.translation import gettext as _

from dashboard.filters import category_names
from dashboard.words import TACTICS, said
from incidents.models import Handover
from incidents.services.trust.boxes import Box, boxes_of


@dataclass(frozen=True)
class Shown:
    """One cell of a list, in words."""

    box: Box
    category_name: str

    @property
    def area(self) -> str:
        return self.box.area.name if self.box.area else ""

    @property
    def tactics(self) -> list[str]:
        return [said(TACTICS, code) for code in self.box.tactics]

    @property
    def why(self) -> str:
        return _("Drawn by chance") if self.box.is_explored else _("High risk")


def shown_boxes(handover: Handover) -> list[Shown]:
    names = category_names()
    return [Shown(box, names.get(box.category, box.category)) for box in boxes_of(handover)]


def geojson_of(handover: Handover) -> bytes:
    features = [
        {
            "type": "Feature",
            "id": box.number,
            "geometry": {"type": "Polygon", "coordinates": [box.corners]},
            "properties": {
                "number": box.number,
                "area": box.area.name if box.area else "",
                "reason": box.reason,
                "category": box.category,
                "tactics": box.tactics,
            },
        }
        for box in boxes_of(handover)
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": features})


CSV_HEADER = ("number", "area", "longitude", "latitude", "reason", "probability", "category", "tactics")


def csv_rows(handover: Handover) -> list[list[Any]]:
    return [
        [
            item.box.number,
            item.area,
            item.box.longitude,
            item.box.latitude,
            item.box.reason,
            item.box.probability,
            item.box.category,
            "; ".join(item.tactics),
        ]
        for item in shown_boxes(handover)
    ]
