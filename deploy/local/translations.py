"""Fails when a text in the code or the templates has no Arabic, or the catalogue is not what ``make messages`` would write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale/ar/LC_MESSAGES/django.po"
COLLECT = [
    sys.executable, "manage.py", "makemessages", "-l", "ar", "--no-obsolete", "--no-location", "--no-wrap",
    "-i", ".venv", "-i", "node_modules", "-i", "var", "-i", "tests", "-v", "0",
]  # fmt: skip


def without_dates(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith('"POT-Creation-Date'))


def entries(selection: str) -> str:
    """The catalogue's entries that are untranslated (or fuzzy), as gettext lists them."""
    return subprocess.run(
        ["msgattrib", selection, "--no-obsolete", "--no-wrap", CATALOGUE], capture_output=True, text=True, check=True
    ).stdout


def main() -> int:
    before = CATALOGUE.read_text()
    try:
        subprocess.run(COLLECT, cwd=ROOT, check=True)
        after = CATALOGUE.read_text()
    finally:
        CATALOGUE.write_text(before)
    problems = []
    if without_dates(after) != without_dates(before):
        problems.append("locale/ar is not up to date: run `make messages` and translate what it adds")
    problems += [
        f"{name}:\n{listed}"
        for name, listed in (("untranslated", entries("--untranslated")), ("fuzzy", entries("--only-fuzzy")))
        if listed.strip()
    ]
    checked = subprocess.run(
        ["msgfmt", "--check", "-o", "/dev/null", CATALOGUE], capture_output=True, text=True, errors="replace", check=False
    )
    if checked.returncode:
        problems.append(checked.stderr)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
