"""What every reader gives: columns, and batches of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import Invalid
from incidents.normalise import Problem

BATCH_ROWS = 20_000
# A batch is closed early when its cells hold this much text, so that long descriptions do not fill the memory.
BATCH_CHARACTERS = 8 * 2**20
MAX_COLUMNS = 500

Row = Sequence[Any]


class RefusedFile(Invalid):
    """The file as a whole cannot be taken; nothing of it was."""


class BrokenFile(Exception):
    """The file breaks off; the rows before that were read."""


@dataclass(slots=True)
class Batch:
    """Rows in file order. ``numbers`` are the rows' places as the file's own program shows them (a CSV's heading is row 1)."""

    numbers: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    # Rows that are no rows: their place, what was there, what is wrong.
    broken: list[tuple[int, str, Problem]] = field(default_factory=list)
    characters: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.broken)

    @property
    def last_number(self) -> int:
        return max(self.numbers[-1] if self.numbers else 0, self.broken[-1][0] if self.broken else 0)

    def is_full(self, limit: int) -> bool:
        return len(self) >= limit or self.characters >= BATCH_CHARACTERS


class Table(ABC):
    """An open file: its columns are known, its rows come in batches, once."""

    format = ""
    encoding = ""
    # Said by the file itself (GeoJSON's "crs"), if it does.
    srid: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []
        # Names the file gives to two columns or more; nobody can say which is meant.
        self.repeated: list[str] = []

    @abstractmethod
    def batches(self, *, limit: int = BATCH_ROWS) -> Iterator[Batch]:
        """Every row of the file. Raises ``BrokenFile`` after the last whole batch when the file breaks off."""

    @abstractmethod
    def progress(self) -> float:
        """How much of the file has been read, 0 to 1."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def name_columns(self, heading: Sequence[Any]) -> None:
        """Give every column a name of its own: an empty one its number, a second ``lon`` the name ``lon (2)``."""
        taken: dict[str, int] = {}
        for number, cell in enumerate(heading[:MAX_COLUMNS], start=1):
            name = " ".join(str(cell if cell is not None else "").replace("\0", "").split())[:120] or f"column {number}"
            taken[name] = taken.get(name, 0) + 1
            if taken[name] == 2:
                self.repeated.append(name)
            final = name if taken[name] == 1 else f"{name} ({taken[name]})"
            while final in self.columns:
                final += "'"
            self.columns.append(final)
