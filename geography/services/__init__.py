from geography.services.gazetteer import GazetteerLoad, load_gazetteer
from geography.services.importing import NewRegion, ZoneImport, import_zones
from geography.services.official import import_official
from geography.services.pieces import rebuild_pieces
from geography.services.resolve import Place, place_of, resolve_points_sql

__all__ = [
    "GazetteerLoad",
    "NewRegion",
    "Place",
    "ZoneImport",
    "import_official",
    "import_zones",
    "load_gazetteer",
    "place_of",
    "rebuild_pieces",
    "resolve_points_sql",
]
