"""The child of ``core.pdf``: ``{"html", "base", "roots"}`` as JSON on standard input, a PDF on standard output. Runs with ``python -I``."""

from __future__ import annotations

import json
import mimetypes
import os
import resource
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

MEMORY_BYTES = 1_500_000_000
CPU_S = 60


def static_file(url: str, base: str, roots: list[Path]) -> Path:
    """The file of ours that ``url`` names; ``ValueError`` for anything else, a path that leaves its root included."""
    asked, ours = urlsplit(url), urlsplit(base)
    if (asked.scheme, asked.netloc) != (ours.scheme, ours.netloc):
        raise ValueError(f"not ours: {url[:200]}")
    name = unquote(asked.path).lstrip("/")
    for root in roots:
        # Normalised, not resolved: a link among our own static files is ours.
        found = Path(os.path.normpath(root / name))
        if found.is_relative_to(root) and found.is_file():
            return found
    raise ValueError(f"no such file: {url[:200]}")


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    asked = json.load(sys.stdin.buffer)
    roots = [Path(os.path.normpath(root)) for root in asked["roots"]]

    from weasyprint import HTML  # type: ignore[import-untyped]
    from weasyprint.urls import URLFetcher, URLFetcherResponse  # type: ignore[import-untyped]

    class OursAlone(URLFetcher):
        """Static files of ours, read from the disk; no network, no other file, no data of the document's own."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            path = static_file(url, asked["base"], roots)
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": kind})

    sys.stdout.buffer.write(HTML(string=asked["html"], base_url=asked["base"], url_fetcher=OursAlone()).write_pdf())


if __name__ == "__main__":
    main()
