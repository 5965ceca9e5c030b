"""Which code made a result."""

from __future__ import annotations

import os
import subprocess
from functools import cache

from django.conf import settings


@cache
def code_version() -> str:
    """``KHAREETATY_VERSION`` (an image's tag), else what git says of this checkout, else the package's version; at most 40 letters."""
    given = os.environ.get("KHAREETATY_VERSION", "").strip()
    return (given or _described() or "unknown")[:40]


def _described() -> str:
    if not (settings.BASE_DIR / ".git").exists():
        return _declared()
    try:
        command = ["git", "-C", str(settings.BASE_DIR), "describe", "--always", "--dirty", "--tags"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return _declared()
    return found.stdout.strip()


def _declared() -> str:
    """The version in pyproject.toml, without a parser: the file is ours."""
    try:
        lines = (settings.BASE_DIR / "pyproject.toml").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split('"')[1] for line in lines if line.startswith("version = ")), "")
