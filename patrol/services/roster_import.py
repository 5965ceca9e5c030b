"""A roster from a file: each row judged by itself, bad ones named with why, good ones written once however often the file comes."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from accounts.models import Agency
from core import audit
from core.errors import DomainError, Invalid
from geography.models import Zone
from incidents.services.importing.readers import BrokenFile, Table, open_table
from patrol.models import Member, RosterEntry, Shift, ShiftPattern, Unit
from patrol.permissions import Actor, require
from patrol.services.roster import Line, put_many_on_roster
from patrol.services.shifts import require_place

MAX_BYTES = 5 * 2**20
MAX_ROWS = 20_000
MAX_DAYS = 366
FORMATS = ("csv", "xlsx")
NEEDED = ("date", "shift", "service_number")
# What a column may be called, in either language.
_NAMES = {
    "date": ("date", "day", "shift_date", "التاريخ", "اليوم"),
    "shift": ("shift", "pattern", "shift_code", "النوبة", "رمز النوبة"),
    "service_number": ("service_number", "member", "number", "الرقم العسكري", "رقم الخدمة"),
    "unit": ("unit", "call_sign", "النداء", "الوحدة"),
    "part": ("part", "role", "الدور"),
    "rest_override_reason": ("rest_override_reason", "rest_reason", "reason", "سبب قلة الراحة"),
}
_PARTS = {"قائد": "leader", "سائق": "driver", "طاقم": "crew", "مكتب": "desk", "": "crew"}
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


@dataclass(frozen=True)
class Fate:
    """What became of one row: ``outcome`` is made, unchanged or refused."""

    row: int
    outcome: str
    text: str
    why: str = ""


@dataclass
class Report:
    fates: list[Fate] = field(default_factory=list)
    is_dry_run: bool = False
    broke_off: str = ""

    def count(self, outcome: str) -> int:
        return sum(fate.outcome == outcome for fate in self.fates)

    @property
    def made(self) -> int:
        return self.count("made")

    @property
    def unchanged(self) -> int:
        return self.count("unchanged")

    @property
    def refused(self) -> int:
        return self.count("refused")

    @property
    def refused_rows(self) -> list[Fate]:
        return [fate for fate in self.fates if fate.outcome == "refused"]


@dataclass
class _Row:
    number: int
    text: str
    given: dict[str, str]
    line: Line | None = None
    why: str = ""


def import_roster(
    *, file: IO[bytes] | Iterable[bytes], name: str, agency: Agency, governorate: Zone, by: Actor | None, dry_run: bool = False
) -> Report:
    """Read a CSV or XLSX file with the columns date, shift (its pattern's code), service_number and, where wanted, unit, part and
    rest_override_reason. Raises ``Invalid`` for a file that as a whole cannot be taken; nothing of it is written then."""
    require(by, "roster")
    require_place(by, governorate=governorate, agency=agency)
    with tempfile.NamedTemporaryFile(prefix="roster-") as kept:
        size = 0
        for chunk in file:
            size += len(chunk)
            if size > MAX_BYTES:
                raise Invalid(_("The file is too large: at most %(limit)d MB.") % {"limit": MAX_BYTES // 2**20})
            kept.write(chunk)
        kept.flush()
        rows, broke_off = _read(Path(kept.name))
    _resolve(rows, agency, governorate)
    good = [row for row in rows if row.line is not None]
    done = put_many_on_roster(lines=[row.line for row in good if row.line is not None], by=by, dry_run=dry_run)
    told = {good[index].number: _why(error) for index, error in done.refusals.items()}
    same = {good[index].number for index in done.unchanged}
    report = Report(is_dry_run=dry_run, broke_off=broke_off)
    for row in rows:
        why = row.why or told.get(row.number, "")
        outcome = "refused" if why else "unchanged" if row.number in same else "made"
        report.fates.append(Fate(row.number, outcome, row.text, why))
    if not dry_run:
        after = {"file": name[:120], "made": report.made, "unchanged": report.unchanged, "refused": report.refused}
        audit.record("roster.import", obj=governorate, by=by, after={"agency": agency.slug, **after})
    return report


def _why(error: DomainError) -> str:
    fields = [text for text in error.fields.values() if text not in error.message]
    return " ".join([error.message, *fields])


def _read(path: Path) -> tuple[list[_Row], str]:
    rows: list[_Row] = []
    broke_off = ""
    with open_table(path) as table:
        if table.format not in FORMATS:
            raise Invalid(_("A roster is read from CSV or XLSX."))
        places = _places(table)
        try:
            for batch in table.batches():
                for number, cells in zip(batch.numbers, batch.rows, strict=True):
                    given = {name: _text(cells[at]) for name, at in places.items() if at < len(cells)}
                    if any(given.values()):
                        rows.append(_Row(number, " · ".join(text for text in given.values() if text)[:120], given))
                for number, text, _problem in batch.broken:
                    rows.append(_Row(number, text[:120], {}, why=_("This row has more cells than the heading.")))
                if len(rows) > MAX_ROWS:
                    raise Invalid(_("The file has too many rows: at most %(limit)d.") % {"limit": MAX_ROWS})
        except BrokenFile as error:
            broke_off = str(error)
    if not rows:
        raise Invalid(_("The file has no rows: the roster is empty."))
    return sorted(rows, key=lambda row: row.number), broke_off


def _places(table: Table) -> dict[str, int]:
    named = {column.strip().lower().replace(" ", "_"): at for at, column in reversed(list(enumerate(table.columns)))}
    found = {}
    for name, words in _NAMES.items():
        at = next((named[key] for word in words if (key := word.replace(" ", "_")) in named), None)
        if at is not None:
            found[name] = at
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise Invalid(_("The file lacks these columns: %(names)s.") % {"names": ", ".join(missing)})
    return found


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).replace("\0", "").translate(_DIGITS).split())


def _day(text: str) -> date | None:
    """2026-11-22, or 22/11/2026 as it is written here."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        pass
    match = re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text)
    try:
        return date(int(match[3]), int(match[2]), int(match[1])) if match else None
    except ValueError:
        return None


def _resolve(rows: list[_Row], agency: Agency, governorate: Zone) -> None:
    """Give every row its line, or say what cannot be found. Five queries, however many rows."""
    codes = {code.lower() for code in ShiftPattern.objects.filter(agency=agency).values_list("code", flat=True)}
    numbers = {row.given.get("service_number", "") for row in rows}
    members = {member.service_number: member for member in Member.objects.filter(agency=agency, service_number__in=numbers)}
    units = {unit.call_sign.lower(): unit for unit in Unit.objects.filter(agency=agency)}
    days = {row.number: day for row in rows if (day := _day(row.given.get("date", ""))) is not None}
    shifts = _shifts(agency, governorate, days.values())
    seen: set[tuple[int, int]] = set()
    for row in rows:
        if row.why:
            continue
        code = row.given.get("shift", "").lower()
        day, member = days.get(row.number), members.get(row.given.get("service_number", ""))
        sign, part = row.given.get("unit", "").lower(), row.given.get("part", "").lower()
        part = _PARTS.get(part, part)
        if day is None:
            row.why = _("“%(text)s” is no date: write 2026-11-22 or 22/11/2026.") % {"text": row.given.get("date", "")}
        elif code not in codes:
            row.why = _("There is no shift pattern “%(text)s”.") % {"text": row.given.get("shift", "")}
        elif (code, day) not in shifts:
            row.why = _("There is no shift %(code)s on %(day)s: make the shifts first.") % {"code": code.upper(), "day": day.isoformat()}
        elif member is None:
            row.why = _("Nobody has the service number “%(text)s”.") % {"text": row.given.get("service_number", "")}
        elif sign and sign not in units:
            row.why = _("There is no unit “%(text)s”.") % {"text": row.given["unit"]}
        elif part not in RosterEntry.Part.values:
            row.why = _("“%(text)s” is no part: leader, driver, crew or desk.") % {"text": row.given.get("part", "")}
        elif (member.pk, shifts[code, day].pk) in seen:
            row.why = _("This person and shift stand in an earlier row.")
        else:
            seen.add((member.pk, shifts[code, day].pk))
            reason = row.given.get("rest_override_reason", "")
            row.line = Line(shifts[code, day], member, units[sign] if sign else None, part, rest_override_reason=reason)


def _shifts(agency: Agency, governorate: Zone, days: Iterable[date]) -> dict[tuple[str, date], Shift]:
    wanted = sorted(set(days))
    if not wanted:
        return {}
    if (wanted[-1] - wanted[0]).days > MAX_DAYS:
        raise Invalid(_("The rows span more than a year: bring them in year by year."))
    local = governorate.region.zone_info
    start = datetime(wanted[0].year, wanted[0].month, wanted[0].day, tzinfo=local)
    end = datetime(wanted[-1].year, wanted[-1].month, wanted[-1].day, tzinfo=local) + timedelta(days=1)
    rows = Shift.objects.filter(agency=agency, governorate=governorate, starts_at__gte=start, starts_at__lt=end).select_related("pattern")
    found = {}
    for shift in rows:
        shift.governorate = governorate
        found[shift.pattern.code.lower(), shift.starts_at.astimezone(local).date()] = shift
    return found
