"""A surface as files people take away: GeoJSON and CSV, of the cells one viewer may see."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from geography.models import Zone
from incidents.models import Surface
from incidents.services.surfaces import Sight


def facts(surface: Surface) -> dict[str, Any]:
    """What a surface says of itself, in plain values."""
    return {
        "id": surface.pk,
        "region": surface.region.code,
        "kind": surface.kind,
        "category": surface.category,
        "horizon": surface.horizon,
        "role": surface.role,
        "model": surface.model,
        "as_of": surface.run.as_of.isoformat(),
        "run": surface.run_id,
        "code_version": surface.run.code_version,
        "learnt_from": surface.learnt_from.isoformat(),
        "learnt_to": surface.learnt_to.isoformat(),
        "valid_from": surface.valid_from.isoformat() if surface.valid_from else None,
        "valid_to": surface.valid_to.isoformat() if surface.valid_to else None,
        "cell_m": surface.cell_m,
        "srid": surface.srid,
        "part_names": list(surface.part_names),
        "parameters": surface.parameters,
        "is_synthetic": surface.is_synthetic,
    }


def cell_rows(seen: Sight, chosen: NDArray[np.int64] | None = None) -> list[dict[str, Any]]:
    """One plain row a cell, the highest value first; or the ``chosen`` cells in their order."""
    order = seen.order if chosen is None else chosen
    zones = {*seen.governorate_ids[order].tolist(), *seen.area_ids[order].tolist()}
    codes = dict(Zone.objects.filter(pk__in=zones).values_list("pk", "code"))
    names = seen.surface.part_names
    columns = zip(
        seen.cells.columns[order].tolist(),
        seen.cells.rows[order].tolist(),
        seen.centres(order).tolist(),
        seen.values[order].tolist(),
        seen.classes[order].tolist(),
        seen.governorate_ids[order].tolist(),
        seen.area_ids[order].tolist(),
        seen.parts[order].tolist(),
        strict=True,
    )
    return [
        {
            "column": column,
            "row": row,
            "longitude": lon,
            "latitude": lat,
            "value": short(value),
            "class": class_,
            "governorate": codes.get(governorate, ""),
            "area": codes.get(area, ""),
            "parts": {name: short(part) for name, part in zip(names, parts, strict=True)},
        }
        for column, row, (lon, lat), value, class_, governorate, area, parts in columns
    ]


def short(value: float) -> float | None:
    """Six digits that count; what is no number is none."""
    return None if math.isnan(value) else float(f"{value:.6g}")


def as_geojson(seen: Sight) -> bytes:
    """A FeatureCollection of squares, with the surface's facts beside its features."""
    rings = list(seen.rings())
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [rings[number]]},
            "properties": {**{name: value for name, value in row.items() if name != "parts"}, **row["parts"]},
        }
        for number, row in zip(seen.order.tolist(), cell_rows(seen), strict=True)
    ]
    return orjson.dumps({"type": "FeatureCollection", "surface": facts(seen.surface), "features": features})


def as_csv(seen: Sight) -> str:
    """One line a cell; the surface's kind, model and data window in columns of their own, so that a line never stands without them."""
    surface = seen.surface
    text = io.StringIO()
    writer = csv.writer(text)
    fixed = ["kind", "category", "horizon", "model", "learnt_from", "learnt_to", "is_synthetic"]
    cell = ["longitude", "latitude", "value", "class", "governorate", "area", "column", "row"]
    writer.writerow([*cell, *surface.part_names, *fixed])
    said = facts(surface)
    tail = [said[name] for name in fixed]
    for row in cell_rows(seen):
        writer.writerow([*(row[name] for name in cell), *row["parts"].values(), *tail])
    return text.getvalue()
