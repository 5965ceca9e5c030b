"""The original file, kept under its hash before anything else happens to it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import NotFound
from incidents.models import ImportRun, Source
from incidents.permissions import Actor, require
from incidents.services.importing.readers import RefusedFile, open_table

_BLOCK = 2**20


def archive_path(run: ImportRun) -> Path:
    """Where the run's original lies."""
    path = Path(settings.FILES_DIR) / run.archived_as
    if not run.archived_as or not path.is_file():
        raise NotFound(_("The archived file is gone."))
    return path


def rejects_path(run: ImportRun) -> Path:
    """Where the run's rejects file is written."""
    return Path(settings.FILES_DIR) / "rejects" / f"import-{run.pk}.csv"


def archive_upload(*, file: Any, name: str, by: Actor | None, source: Source | None = None) -> ImportRun:
    """Keep ``file`` (an uploaded file, an open binary file or a path) and return its run, in status "uploaded".

    Raises ``Invalid`` for a file that is empty, too large or of no format we read; nothing is kept then.
    """
    require(by, "import")
    folder = Path(settings.FILES_DIR) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".incoming-")
    path = Path(temporary)
    try:
        sha, size = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as kept:
            for block in _blocks(file):
                size += len(block)
                if size > settings.IMPORT_MAX_BYTES:
                    raise RefusedFile(
                        _("The file is larger than %(limit)d MB.") % {"limit": settings.IMPORT_MAX_BYTES // 2**20},
                        fields={"file": _("Split it, or compress it with gzip.")},
                    )
                sha.update(block)
                kept.write(block)
            kept.flush()
            os.fsync(kept.fileno())
        with open_table(path) as table:
            kind = table.format
        digest = sha.hexdigest()
        final = folder / digest[:2] / digest
        final.parent.mkdir(exist_ok=True)
        path.replace(final)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    run = ImportRun.objects.create(
        source=source,
        status=ImportRun.Status.UPLOADED,
        file_name=_safe_name(name),
        format=kind,
        size_bytes=size,
        sha256=digest,
        archived_as=str(final.relative_to(settings.FILES_DIR)),
        requested_by=by if isinstance(by, User) else None,
    )
    audit.record("import.upload", obj=run, by=by, after={"file": run.file_name, "sha256": digest, "bytes": size, "format": kind})
    return run


def _blocks(file: Any) -> Iterable[bytes]:
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb") as opened:
            while block := opened.read(_BLOCK):
                yield block
    elif hasattr(file, "chunks"):
        yield from file.chunks()
    else:
        while block := file.read(_BLOCK):
            yield block


def _safe_name(name: str) -> str:
    name = Path(name.replace("\\", "/")).name
    return ("".join(letter for letter in name if letter.isprintable()).strip() or "file")[-255:]
