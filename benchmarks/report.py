"""Collects the figures of a run and writes them down, with the machine and the moment they were measured on."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HEAD = """# Benchmarks

Written by `make bench`; nothing here is typed by hand. One suite alone: `make bench ARGS="imports"`.
Machines are noisy: a figure beside a baseline of the same run says more than a figure alone.
"""
WORTH_TELLING = 0.02


@dataclass(frozen=True)
class Row:
    name: str
    value: float | int | str
    unit: str = ""
    note: str = ""

    def as_markdown(self) -> str:
        return f"| {self.name} | {shown(self.value)} | {self.unit} | {self.note} |"


@dataclass
class Report:
    sections: dict[str, list[Row]] = field(default_factory=dict)

    def row(self, section: str, name: str, value: float | int | str, unit: str = "", note: str = "") -> None:
        """Keep one figure, and show it at once."""
        row = Row(name, value, unit, note)
        self.sections.setdefault(section, []).append(row)
        print(f"{section}: {name}: {shown(value)} {unit}  {note}".rstrip(), flush=True)


def shown(value: float | int | str) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _spent() -> tuple[int, int]:
    """``(stolen, all)`` ticks of all processors since the machine started; zeros where no kernel tells."""
    try:
        ticks = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return 0, 0
    return ticks[7], sum(ticks)


@dataclass
class Theft:
    """How much of the processors others on the same host took away since it was made: what makes figures slow without our doing."""

    before: tuple[int, int] = field(default_factory=_spent)

    def share(self) -> float:
        (stolen, total), (was_stolen, was_total) = _spent(), self.before
        return (stolen - was_stolen) / max(total - was_total, 1)


def write(report: Report, suites: list[str], path: Path, stolen: float) -> None:
    """Put the sections of ``suites`` into the file; sections of suites that did not run now stay as they were."""
    kept = split(path.read_text()) if path.exists() else {}
    measured = f'{datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}, by `make bench ARGS="{" ".join(suites)}"`.'
    if stolen >= WORTH_TELLING:
        measured += f" Others on the same host took {stolen:.0%} of the processors meanwhile."
    for section, rows in report.sections.items():
        lines = [
            "",
            f"Measured {measured}",
            "",
            "| what | value | unit | how |",
            "|---|---:|---|---|",
            *(row.as_markdown() for row in rows),
            "",
        ]
        kept[section] = "\n".join(lines)
    path.write_text(HEAD + "".join(f"\n## {name}\n{body}" for name, body in kept.items()))


def split(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (body.rstrip("\n") + "\n" for body in parts[2::2]), strict=True))
