"""A wire between a browser and the site, or between this process and PostgreSQL, that can really be cut.

``context.set_offline(True)`` is kept by a page and dies with it: what the page sends as it goes, a ``keepalive`` request at ``pagehide``,
passes it by. A cut wire lets nothing through, whoever asks.

``wire``                   the fixture: a wire to ``live_site``; a page that is to lose it is opened at ``wire.url`` (cookies go by host).
``database_wire``          the fixture: what this process asks PostgreSQL goes through it, until the end of the test.
``wire.tunnel(context)``   cut, and the browser knows that it is offline; both are mended at the end.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.db import connection

from deploy.local.layout import HOST
from tests.live_server import LiveSite

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


class Wire:
    """Forwards TCP from a port of its own to another on this machine, as it comes, until it is cut."""

    def __init__(self, to_port: int) -> None:
        self._site = (HOST, to_port)
        self._door = socket.create_server((HOST, 0))
        self.port: int = self._door.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._lock = threading.Lock()  # so that no connection is made while it is being cut
        self._is_cut = False
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._listen, name="wire", daemon=True).start()

    def cut(self) -> None:
        """End what is open; whoever calls from now on is hung up on at once."""
        with self._lock:
            self._is_cut = True
            for end in self._open:
                _hang_up(end)

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    @contextlib.contextmanager
    def tunnel(self, context: BrowserContext) -> Iterator[None]:
        context.set_offline(True)
        self.cut()
        try:
            yield
        finally:
            self.mend()
            context.set_offline(False)

    def close(self) -> None:
        self.cut()
        _hang_up(self._door)  # wakes whoever listens

    def _listen(self) -> None:
        with self._door, contextlib.suppress(OSError):
            while True:
                page, _address = self._door.accept()
                self._join(page)

    def _join(self, page: socket.socket) -> None:
        with self._lock, contextlib.ExitStack() as ends:
            ends.enter_context(page)
            if self._is_cut:
                return
            try:
                site = ends.enter_context(socket.create_connection(self._site, timeout=5))
            except OSError:
                return  # the site is down: the page is hung up on
            ends.pop_all()  # theirs from here on
            site.settimeout(None)
            for end in (page, site):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(end)
        for source, target in ((page, site), (site, page)):
            threading.Thread(target=self._carry, args=(source, target), name="wire", daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        _hang_up(target)
        with self._lock:  # never while it is being hung up on
            self._open.discard(source)
            source.close()


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(live_site: LiveSite) -> Iterator[Wire]:
    made = Wire(urlsplit(live_site.url).port or 0)
    yield made
    made.close()


@pytest.fixture
def database_wire(transactional_db: None) -> Iterator[Wire]:
    there = {name: connection.settings_dict[name] for name in ("HOST", "PORT")}
    made = Wire(int(there["PORT"]))
    connection.close()
    connection.settings_dict.update(HOST=HOST, PORT=str(made.port))
    yield made
    connection.close()
    connection.settings_dict.update(there)
    made.close()
