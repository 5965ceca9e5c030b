"""HTML to PDF in a process of its own: it takes seconds of CPU and a native text engine, neither of which the web process can spare.

The child (``pdf_process``) knows no Django, no secret and no network; it fetches only static files of ours.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from django.conf import settings

from core.errors import DomainError

MAX_HTML_BYTES = 1_000_000
MAX_PDF_BYTES = 8_000_000
TIMEOUT_S = 40.0
WAIT_S = 15.0
AT_ONCE = 2
# Addresses of static files in the document begin with this; the name resolves nowhere (RFC 6761).
STATIC = "https://static.invalid/"

_slots = threading.BoundedSemaphore(AT_ONCE)
_log = logging.getLogger(__name__)


class PdfFailed(DomainError):
    """No PDF was made. ``status`` 503: too many at once or too slow; worth another try."""

    status, code = 503, "pdf_failed"


def render(html: str) -> bytes:
    """The document as PDF. Waits for a free place; raises ``PdfFailed`` rather than holding a thread for long."""
    document = html.encode()
    if len(document) > MAX_HTML_BYTES:
        raise PdfFailed("The document is too large for a PDF.")
    if not _slots.acquire(timeout=WAIT_S):
        raise PdfFailed("Too many PDFs are being made. Try again in a minute.")
    try:
        with tempfile.TemporaryDirectory(prefix="pdf-") as home:
            return _made(html, home)
    finally:
        _slots.release()


def _made(html: str, home: str) -> bytes:
    roots = [str(root) for root in (*settings.STATICFILES_DIRS, settings.STATIC_ROOT)]
    asked = json.dumps({"html": html, "base": STATIC, "roots": roots}).encode()
    command = [sys.executable, "-I", str(Path(__file__).with_name("pdf_process.py"))]
    # None of our environment: the child has no use for a password.
    environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home}
    try:
        done = subprocess.run(command, input=asked, capture_output=True, timeout=TIMEOUT_S, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        raise PdfFailed("The PDF took too long. Try again later.") from error
    if done.returncode or not done.stdout.startswith(b"%PDF-") or len(done.stdout) > MAX_PDF_BYTES:
        _log.error("no pdf: exit %s, %s", done.returncode, done.stderr.decode(errors="replace")[-2000:])
        raise PdfFailed("The PDF could not be made.")
    return done.stdout
