#!/usr/bin/env python3
"""Django's command line for Khareetaty."""

import os
import secrets
import sys
from pathlib import Path

ON_BARE_FILES = {"predict_risk", "backtest", "forecast_file"}  # these read a file and write a file: no services, no settings of a site


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
    if ON_BARE_FILES.intersection(sys.argv[1:2]):
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("DATABASE_URL", "postgis:///none")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        ours = Path(__file__).resolve().parent / ".venv/bin/python"
        if ours.exists() and Path(sys.prefix) != ours.parent.parent:
            # Called with the system's Python: go on with the project's.
            os.execv(str(ours), [str(ours), *sys.argv])  # noqa: S606
        raise
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
