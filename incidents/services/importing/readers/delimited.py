"""CSV: commas, semicolons or tabs, plain or gzip, in the encodings Kuwait's offices write."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.utils.translation import gettext as _

from incidents.normalise import Problem
from incidents.services.importing.readers.base import BATCH_ROWS, Batch, BrokenFile, RefusedFile, Table
from incidents.services.importing.readers.streams import ByteStream, encoding_of, sample_of, text_stream

# A cell larger than this is an unclosed quote, not a description.
MAX_CELL = 8 * 2**20
MAX_LINE = 2 * MAX_CELL
_DELIMITERS = ",;\t|"


class Delimited(Table):
    format = "csv"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        sample = sample_of(path)
        self.encoding = encoding_of(sample)
        self._stream = ByteStream(path)
        self._text = text_stream(self._stream, self.encoding)
        heading = sample.decode(self.encoding, errors="replace").lstrip("\ufeff").lstrip("\r\n").split("\n", 1)[0]
        delimiter = max(_DELIMITERS, key=lambda mark: (heading.count(mark), mark == ","))
        csv.field_size_limit(MAX_CELL)
        # Read by limited lines: a file of one endless line must not be taken into memory before its cells are looked at.
        self._rows = csv.reader(iter(partial(self._text.readline, MAX_LINE), ""), delimiter=delimiter)
        self._number = 0
        try:
            for row in self._rows:
                self._number += 1
                if any(cell.strip() for cell in row):
                    self.name_columns(row)
                    break
        except (EOFError, OSError, zlib.error, csv.Error) as error:
            self.close()
            raise RefusedFile(_("The file breaks off before its first row: %(why)s.") % {"why": error}) from error

    def batches(self, *, limit: int = BATCH_ROWS) -> Iterator[Batch]:
        batch = Batch()
        width = len(self.columns)
        number = self._number
        numbers, rows, broken = batch.numbers, batch.rows, batch.broken
        try:
            for row in self._rows:
                number += 1
                if len(row) != width:
                    if not row:
                        continue
                    if len(row) < width:
                        row.extend([""] * (width - len(row)))
                    elif any(row[width:]):
                        broken.append((number, _line(row), Problem("", "too_many_cells", f"{len(row)} > {width}")))
                        if batch.is_full(limit):
                            yield batch
                            batch = Batch()
                            numbers, rows, broken = batch.numbers, batch.rows, batch.broken
                        continue
                    else:
                        del row[width:]
                numbers.append(number)
                rows.append(row)
                if not number & 63:
                    # Every 64th row stands for its neighbours; a long one is counted below.
                    batch.characters += sum(map(len, row)) * 64
                elif max(map(len, row)) > 4096:
                    batch.characters += sum(map(len, row))
                if len(rows) + len(broken) >= limit or batch.is_full(limit):
                    yield batch
                    batch = Batch()
                    numbers, rows, broken = batch.numbers, batch.rows, batch.broken
        except (EOFError, OSError, zlib.error, csv.Error) as error:
            if len(batch):
                yield batch
            raise BrokenFile(
                _("The file breaks off after row %(row)d: %(why)s.") % {"row": number, "why": str(error).rstrip(".")}
            ) from error
        if len(batch):
            yield batch

    def progress(self) -> float:
        return self._stream.progress()

    def close(self) -> None:
        self._text.close()
        self._stream.close()


def _line(row: list[str]) -> str:
    return ",".join(row)[:100_000]
