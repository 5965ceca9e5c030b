from geography.services.pieces import rebuild_pieces
from geography.services.resolve import Place, place_of, resolve_points_sql

__all__ = ["Place", "place_of", "rebuild_pieces", "resolve_points_sql"]
