"""What: the counts of the last 28 days, and the changes in them that chance does not explain."""

from __future__ import annotations

from datetime import date

from incidents.services.compare import AGAINST, Comparison, Row
from incidents.services.summary.statements import Evidence, Named, Statements

PERIOD = "28d"
LINES = 6
MOST_OF = 0.7
TABLES = ("category", "type", "governorate", "area")


def what(found: Comparison, ended: date | None = None) -> Statements:
    """``ended``: the last day of data that do not reach the present."""
    section = Statements("what")
    evidence = Evidence("comparison")
    facts = found.facts(PERIOD)
    total = found.total.figures[PERIOD]
    if not any(figures.now or figures.before or figures.last_year for figures in found.total.figures.values()):
        section.add("nothing_counted", newest=found.newest, until=found.until, evidence=evidence)
        return section
    if ended is not None:
        section.add("data_end", newest=ended, evidence=evidence)
    section.add("counted", n=total.now, first=facts.period.now.first, last=facts.period.now.last, evidence=evidence)
    for against in AGAINST:
        change = getattr(total, f"against_{against}")
        span = facts.period.spans()[against]
        if change is None:
            section.add("not_comparable", against=against, first=span.first, last=span.last, evidence=evidence)
        else:
            section.add(
                f"total_{change.verdict}",
                against=against,
                before=getattr(total, against),
                difference=change.difference,
                percent=None if change.is_small_base else change.percent,
                evidence=evidence,
            )
    year = found.total.figures["ytd"]
    if year.against_last_year is not None and year.against_last_year.verdict in ("more", "fewer"):
        change = year.against_last_year
        section.add(
            f"year_{change.verdict}",
            n=year.now,
            before=year.last_year,
            difference=change.difference,
            percent=change.percent,
            evidence=evidence,
        )
    changed = _beyond_chance(found)
    for by, row, against in changed[:LINES]:
        figures = row.figures[PERIOD]
        change = getattr(figures, f"against_{against}")
        section.add(
            f"line_{change.verdict}",
            by=by,
            line=row.code,
            name=Named(row.name_en, row.name_ar or row.name_en),
            now=figures.now,
            before=getattr(figures, against),
            against=against,
            percent=None if change.is_small_base else change.percent,
            follows_officers=row.follows_officers,
            evidence=Evidence("comparison", (row.zone_id,) if row.zone_id else ()),
        )
    if not changed and any(facts.is_comparable.values()):
        section.add("no_line_changed", evidence=evidence)
    if len(changed) > LINES:
        section.add("more_lines", n=len(changed) - LINES, evidence=evidence)
    for which, spans in facts.missing.items():
        for span in spans:
            section.add("no_data", which=which, first=span.first, last=span.last, evidence=evidence)
    return section


def _beyond_chance(found: Comparison) -> list[tuple[str, Row, str]]:
    """The lines of each table that changed by more than chance brings, the surest first; each line once."""
    lines = []
    for by in TABLES:
        for row in found.tables[by]:
            if not row.code or (found.scope.zone is not None and row.zone_id == found.scope.zone.pk):
                continue
            changes = [(against, getattr(row.figures[PERIOD], f"against_{against}")) for against in AGAINST]
            sure = [(change.q, against) for against, change in changes if change is not None and change.verdict in ("more", "fewer")]
            if sure:
                lines.append((min(sure), by, row))
    lines.sort(key=lambda item: (item[0][0], -abs(item[2].figures[PERIOD].now), item[1], item[2].code))
    categories = {row.code: row for by, row, _against in (_plain(line) for line in lines) if by == "category"}
    return [line for line in map(_plain, lines) if not _repeats(line, categories)]


def _plain(line: tuple[tuple[float, str], str, Row]) -> tuple[str, Row, str]:
    (_q, against), by, row = line
    return by, row, against


def _repeats(line: tuple[str, Row, str], categories: dict[str, Row]) -> bool:
    """Whether a type's change is most of its category's, which is told already."""
    by, row, against = line
    # What follows officers is told by itself even so: a reader must know.
    category = categories.get(row.category) if by == "type" and not row.follows_officers else None
    if category is None:
        return False
    own, whole = ((figures := one.figures[PERIOD]).now - getattr(figures, against) for one in (row, category))
    return own * whole > 0 and abs(own) >= MOST_OF * abs(whole)
