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


def write(report: Report, suites: list[str], path: Path) -> None:
    """Put the sections of ``suites`` into the file; sections of suites that did not run now stay as they were."""
    kept = split(path.read_text()) if path.exists() else {}
    measured = f'{datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}, by `make bench ARGS="{" ".join(suites)}"`.'
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
