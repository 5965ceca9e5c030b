"""Times and ways between places: straight lines, the imported roads, or a routing server; whoever answered is named."""

from patrol.services.travel.closures import close_road, closures_between, reopen_road
from patrol.services.travel.importing import RoadImport, import_roads
from patrol.services.travel.providers import Provider, RoadProvider, StraightProvider, provider_for
from patrol.services.travel.server import ServerProvider
from patrol.services.travel.words import provider_name, travel_note

__all__ = [
    "Provider",
    "RoadImport",
    "RoadProvider",
    "ServerProvider",
    "StraightProvider",
    "close_road",
    "closures_between",
    "import_roads",
    "provider_for",
    "provider_name",
    "reopen_road",
    "travel_note",
]
