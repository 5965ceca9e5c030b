"""Parquet and XLSX: cells come typed."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
from django.utils.translation import gettext as _

from incidents.services.importing.readers.base import BATCH_ROWS, Batch, BrokenFile, RefusedFile, Row, Table

# What a workbook may unpack to; a sheet of a million rows stays well below.
MAX_UNPACKED = 2 * 2**30
# The texts of a workbook lie in one part that has to be held in memory.
MAX_TEXTS = 128 * 2**20


class Parquet(Table):
    format = "parquet"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise RefusedFile(_("The Parquet file cannot be read: %(why)s.") % {"why": str(error)[:200]}) from error
        self.name_columns(self._file.schema_arrow.names)
        self._total = max(self._file.metadata.num_rows, 1)
        self._read = 0

    def batches(self, *, limit: int = BATCH_ROWS) -> Iterator[Batch]:
        try:
            for part in self._file.iter_batches(batch_size=min(limit, 5_000)):
                columns = [_plain_column(column) for column in part.columns]
                rows: list[Row] = list(zip(*columns, strict=True)) if columns else []
                batch = Batch(list(range(self._read + 1, self._read + 1 + len(rows))), rows)
                self._read += len(rows)
                if rows:
                    yield batch
        except (pyarrow.ArrowException, OSError) as error:
            raise BrokenFile(
                _("The file breaks off after row %(row)d: %(why)s.") % {"row": self._read, "why": str(error)[:200].rstrip(".")}
            ) from error

    def progress(self) -> float:
        return min(self._read / self._total, 1.0)

    def close(self) -> None:
        self._file.close()


def _plain_column(column: Any) -> list[Any]:
    if pyarrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's times end at the microsecond.
        column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    values = column.to_pylist()
    if pyarrow.types.is_binary(column.type) or pyarrow.types.is_large_binary(column.type) or pyarrow.types.is_decimal(column.type):
        return [None if value is None else value.hex() if isinstance(value, bytes) else str(value) for value in values]
    return values


class Sheet(Table):
    """The first sheet of a workbook that has rows. Formulas count by their last computed value."""

    format = "xlsx"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with zipfile.ZipFile(path) as archive:
                sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
                if sum(sizes.values()) > MAX_UNPACKED or sizes.get("xl/sharedStrings.xml", 0) > MAX_TEXTS:
                    raise RefusedFile(_("The workbook is too large; save it as CSV."))
            self._opened = path.open("rb")
            self._book = openpyxl.load_workbook(self._opened, read_only=True, data_only=True)
            sheet = self._book.worksheets[0]
            self._rows: Iterator[Any] = sheet.iter_rows(values_only=True)
            self._total = max(sheet.max_row or 1, 1)
            self._number = 0
            for row in self._rows:
                self._number += 1
                if any(cell not in (None, "") for cell in row):
                    last = max(place for place, cell in enumerate(row) if cell not in (None, ""))
                    self.name_columns(row[: last + 1])
                    break
        except RefusedFile:
            raise
        except (zipfile.BadZipFile, OSError, KeyError, ValueError, IndexError, TypeError, AttributeError, SyntaxError) as error:
            raise RefusedFile(_("The workbook cannot be read: %(why)s.") % {"why": str(error)[:200]}) from error

    def batches(self, *, limit: int = BATCH_ROWS) -> Iterator[Batch]:
        width = len(self.columns)
        batch = Batch()
        try:
            for row in self._rows:
                self._number += 1
                if all(cell is None or cell == "" for cell in row):
                    continue
                cells = list(itertools.islice(itertools.chain(row, itertools.repeat(None)), width))
                batch.numbers.append(self._number)
                batch.rows.append(cells)
                batch.characters += sum(len(cell) for cell in cells if isinstance(cell, str))
                if batch.is_full(limit):
                    yield batch
                    batch = Batch()
        except (zipfile.BadZipFile, OSError, KeyError, ValueError, EOFError, SyntaxError) as error:
            if len(batch):
                yield batch
            raise BrokenFile(
                _("The file breaks off after row %(row)d: %(why)s.") % {"row": self._number, "why": str(error)[:200].rstrip(".")}
            ) from error
        if len(batch):
            yield batch

    def progress(self) -> float:
        return min(self._number / self._total, 1.0)

    def close(self) -> None:
        self._book.close()
        self._opened.close()
