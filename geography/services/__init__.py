from geography.services.gazetteer import GazetteerLoad, load_gazetteer
from geography.services.pieces import rebuild_pieces
from geography.services.resolve import Place, place_of, resolve_points_sql

__all__ = ["GazetteerLoad", "Place", "load_gazetteer", "place_of", "rebuild_pieces", "resolve_points_sql"]
