"""Files as streams of batches of rows, whatever their format. Nothing here knows the database."""

from incidents.services.importing.readers.base import Batch, BrokenFile, RefusedFile, Row, Table
from incidents.services.importing.readers.opening import open_table, sniff

__all__ = ["Batch", "BrokenFile", "RefusedFile", "Row", "Table", "open_table", "sniff"]
