"""What a file is, by what is in it; its name decides nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

from django.utils.translation import gettext as _

from incidents.services.importing.readers.base import RefusedFile, Table
from incidents.services.importing.readers.delimited import Delimited
from incidents.services.importing.readers.objects import GeoJson, JsonLines
from incidents.services.importing.readers.sheets import Parquet, Sheet
from incidents.services.importing.readers.streams import encoding_of, sample_of

_READERS: dict[str, type[Table]] = {"csv": Delimited, "jsonl": JsonLines, "geojson": GeoJson, "parquet": Parquet, "xlsx": Sheet}
FORMATS = tuple(_READERS)
# Old Excel and Word, PDF, pictures, archives, programs, databases.
_NOT_OURS = (b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"7z\xbc\xaf", b"Rar!", b"\x7fELF", b"SQLite f")


def sniff(path: Path) -> str:
    """The format of the file: one of ``FORMATS``. Raises ``RefusedFile`` for anything else."""
    if path.stat().st_size == 0:
        raise RefusedFile(_("The file is empty."))
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(path) as archive:
                if "xl/workbook.xml" in archive.namelist():
                    return "xlsx"
        except (zipfile.BadZipFile, OSError, ValueError):
            pass
        raise _refused()
    if start.startswith(
        (b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"7z\xbc\xaf", b"Rar!", b"\x7fELF", b"SQLite f")
    ):
        raise _refused()
    sample = sample_of(path)
    if not sample:
        raise RefusedFile(_("The file is empty, or breaks off before its first row."))
    encoding = encoding_of(sample)
    text = sample[:65536].decode(encoding, errors="replace").lstrip("\ufeff\x1e \t\r\n")
    strange = sum(letter < " " and letter not in "\t\r\n\x1e" for letter in text)
    if strange * 50 > len(text):
        raise _refused()
    if text.startswith(("{", "[")):
        if encoding.startswith("utf-16") or encoding == "cp1256":
            raise RefusedFile(_("JSON is written in UTF-8; this file is not."))
        first = text.split("\n", 1)[0].rstrip()
        whole_object = first.startswith("{") and first.endswith("}") and '"FeatureCollection"' not in first
        if text.startswith("[") or not whole_object:
            return "geojson"
        return "jsonl"
    return "csv"


def open_table(path: Path) -> Table:
    """Open the file for reading. Raises ``RefusedFile``."""
    kind = sniff(path)
    table = _READERS[kind](path)
    if not table.columns:
        table.close()
        raise RefusedFile(_("The file has no columns."))
    return table


def _refused() -> RefusedFile:
    return RefusedFile(_("This is no CSV, JSON Lines, GeoJSON, Parquet or XLSX file."))
