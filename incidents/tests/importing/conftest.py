from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from incidents.models import ImportRun, Source
from incidents.services import importing
from incidents.services.vocabulary import ensure_vocabulary

HEAD = "incident_id,type,occurred_at,lon,lat,severity,priority,description,address,origin\n"


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def feed(police_112: Source, burglary: Any) -> Source:
    ensure_vocabulary()
    return police_112


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write("text")`` gives a file with that content."""

    def make(content: str | bytes, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def bring(feed: Source) -> Callable[..., ImportRun]:
    """``bring(path)`` imports the file for the 112 feed and returns the run as it ended."""

    def make(path: Path, *, source: Source | None = None, **options: Any) -> ImportRun:
        run = importing.archive_upload(file=path, name=path.name, by=None)
        importing.start_import(run=run, source=source or feed, by=None, **options)
        return importing.execute_import(run=run)

    return make


@pytest.fixture
def command(feed: Source) -> Callable[..., dict[str, Any]]:
    """``command(path)`` runs ``import_incidents --json`` and reads its last line; a failed one says why in "failed"."""

    def make(path: Path, **options: Any) -> dict[str, Any]:
        out = StringIO()
        failed = ""
        try:
            call_command("import_incidents", str(path), source=options.pop("source", feed.slug), as_json=True, stdout=out, **options)
        except CommandError as error:
            failed = str(error)
        lines = out.getvalue().strip().splitlines()
        answer = json.loads(lines[-1]) if lines else {}
        return {**answer, "failed": failed}

    return make
