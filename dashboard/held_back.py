"""What the panels of cells and hot spots say of places held back: ``_held_back.html`` shows it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from incidents.services.trust.suppressions import suppressions_at


def held_back_at(request: HttpRequest, longitude: float, latitude: float, category: str = "") -> dict[str, Any]:
    """The suppressions over one point that the viewer may see, and whether they may add one."""
    can = getattr(request.user, "can", lambda _verb: False)
    return {
        "held_back": suppressions_at(lon=longitude, lat=latitude, viewer=request.user, category=category),
        "hold_back_at": {"longitude": f"{longitude:.6f}", "latitude": f"{latitude:.6f}"} if can("suppress_places") else None,
    }
