"""The file of rejected rows: what is wrong with each, and the row as it came, to be corrected and sent again."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from incidents.normalise import Problem
from incidents.services.importing.preparing import BadRow, text_of

# The first columns of a rejects file; a file that has them is known again, and IDENTITY ties its rows to the rejected ones.
ROW, FIELD, CODE, MESSAGE, IDENTITY = "import: row", "import: field", "import: code", "import: message", "import: identity"
OWN = (ROW, FIELD, CODE, MESSAGE, IDENTITY)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def guarded(text: str) -> str:
    """A cell no spreadsheet runs: an apostrophe before what could be a formula (and before an apostrophe, so that it can be undone)."""
    if not text.startswith(_FORMULA):
        return text
    if text[0] in "+-":
        try:
            float(text)
        except ValueError:
            return "'" + text
        return text
    return "'" + text


def unguarded(text: str) -> str:
    """The cell before ``guarded``."""
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in "=+-@\t\r'" else text


class RejectsFile:
    """Written batch by batch; a run that goes on after a cut first drops what the cut left behind its last whole batch."""

    def __init__(self, path: Path, columns: Sequence[str], *, after: int = 0) -> None:
        self.path = path
        self.columns = [column for column in columns if column not in OWN]
        self._places = [place for place, column in enumerate(columns) if column not in OWN]
        self._width = len(columns)
        kept: list[list[str]] = []
        if after and path.exists():
            with path.open(encoding="utf-8-sig", newline="") as file:
                kept = [row for row in csv.reader(file) if row and row[0].isdigit() and int(row[0]) <= after]
        path.parent.mkdir(parents=True, exist_ok=True)
        # The mark at the start lets spreadsheets read the Arabic.
        self._file = path.open("w", encoding="utf-8-sig", newline="", errors="replace")
        self._csv = csv.writer(self._file)
        self._csv.writerow([*OWN, *map(guarded, self.columns)])
        self._csv.writerows(kept)
        self.count = len(kept)

    def write(self, rows: Sequence[BadRow]) -> None:
        for row in rows:
            problems = row.problems or [Problem("", "unreadable")]
            if row.cells is None:
                cells = [str(row.raw.get("row", ""))]
            else:
                cells = [text_of(row.cells[place]) if not isinstance(row.cells[place], str) else row.cells[place] for place in self._places]
            self._csv.writerow(
                [
                    row.number,
                    "; ".join(problem.field for problem in problems),
                    "; ".join(problem.code for problem in problems),
                    guarded("; ".join(problem.message for problem in problems)),
                    guarded(row.external_id),
                    *(guarded(cell.replace("\0", "\ufffd")) for cell in cells),
                ]
            )
            self.count += 1
        self._file.flush()

    def close(self) -> str:
        """The file's path, or nothing where nothing was rejected."""
        self._file.close()
        if not self.count:
            self.path.unlink(missing_ok=True)
            return ""
        return str(self.path)
