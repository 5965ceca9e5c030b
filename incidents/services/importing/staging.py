"""The good rows of a batch as COPY wants them. Done by the reading thread, so that the writer only hands them over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from incidents.normalise.address import parse_address

if TYPE_CHECKING:
    from incidents.services.importing.preparing import Prepared

_NULL = r"\N"
_ADDRESS = ("address_block", "address_street", "address_jadda", "address_building", "paci_number")
_SPECIAL = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def stage(batch: Prepared) -> None:
    """Fill ``batch.staged_columns`` and ``batch.staged``: only the columns the file has are sent."""
    columns: dict[str, Iterable[str]] = {
        "row_number": map(str, batch.numbers),
        "external_id": _escaped(batch.external_ids),
        "type_word": _escaped(batch.types),
        "occurred_at": batch.occurred,
    }
    if batch.reported is not None:
        columns["reported_at"] = [moment or _NULL for moment in batch.reported]
    if batch.lon is not None and batch.lat is not None:
        columns["lon"] = [_NULL if x is None else repr(x) for x in batch.lon]
        columns["lat"] = [_NULL if y is None else repr(y) for y in batch.lat]
    for name, levels in (("severity", batch.severities), ("priority", batch.priorities)):
        if levels is not None:
            columns[name] = [_NULL if level is None else str(level) for level in levels]
    if batch.origins is not None:
        columns["origin"] = batch.origins
    if batch.descriptions is not None:
        columns["description"] = _escaped(batch.descriptions)
    if batch.addresses is not None:
        columns["address"] = _escaped(batch.addresses)
        parts = _parts(batch.addresses)
        for place, name in enumerate(_ADDRESS):
            columns[name] = _escaped([part[place] for part in parts])
    columns["words"] = _escaped(batch.words)
    columns["raw"] = _escaped(batch.raws)
    lines = "\n".join(map("\t".join, zip(*columns.values(), strict=True)))
    batch.staged_columns = list(columns)
    batch.staged = f"{lines}\n".encode() if lines else b""
    batch.raws = batch.words = []


def _parts(addresses: Sequence[str]) -> list[tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {"": ("",) * len(_ADDRESS)}
    for address in addresses:
        if address not in known:
            columns = parse_address(address).columns()
            known[address] = tuple(columns[name] for name in _ADDRESS)
    return [known[address] for address in addresses]


def _escaped(column: Sequence[str]) -> Sequence[str]:
    """A column as COPY's text format wants it; looked at as a whole first, since most need nothing."""
    whole = "\x1f".join(column)
    if "\\" in whole or "\t" in whole or "\n" in whole or "\r" in whole:
        return [text.translate(_SPECIAL) for text in column]
    return column
