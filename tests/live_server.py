"""A real web process, a real relay and a real Chromium for tests that look at the product as its user does.

``live_site``   one uvicorn process per test worker on the worker's own test database, and a relay for each test.
``browser``     one Chromium per test worker;  ``page``  a fresh context and page, which fails the test that made it break.
``sign_in``     ``sign_in(page, user)`` gives the page's context a session, as the sign-in page would.

Our content security policy holds in tests as well: ``page.wait_for_function`` takes a function (``"() => …"``), not an expression.
A test that asks for ``live_site`` works on committed data (``transaction=True``): the web process sees what the test writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.db import connection, connections

from deploy.local.layout import HOST, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_MS = 15_000  # for what comes by itself: how long it takes is measured by the benchmarks
CHROMIUM = os.environ.get("KHAREETATY_CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class LiveSite:
    """The address of a running web process and the processes beside it."""

    url: str
    environment: dict[str, str]
    web: subprocess.Popen[bytes]
    log: Path
    relays: list[subprocess.Popen[bytes]] = field(default_factory=list)
    stop_own_relay: Callable[[], None] = lambda: None

    @property
    def websocket_url(self) -> str:
        return "ws" + self.url.removeprefix("http")

    def start_relay(self) -> subprocess.Popen[bytes]:
        """A relay in a process of its own, for tests that kill it."""
        relay = subprocess.Popen(
            [sys.executable, "manage.py", "relay"], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.relays.append(relay)
        return relay

    def start_web(self) -> None:
        self.web = _start_web(self.url, self.environment, self.log)

    def stop_web(self, how: int = signal.SIGTERM) -> None:
        self.web.send_signal(how)
        self.web.wait(20)


def _start_web(url: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    port = str(urlsplit(url).port)
    web = subprocess.Popen(
        [
            sys.executable, "-m", "uvicorn", "khareetaty.asgi:application", "--host", HOST, "--port", port, "--no-access-log",
            "--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "2", "--log-level", "warning",
        ],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log.open("ab"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 300  # on a machine that does much else; how long it takes is measured by the benchmarks
    with httpx.Client(timeout=5) as client:  # one for all the asking: making it takes longer than asking
        while True:
            with contextlib.suppress(httpx.TransportError):
                if client.get(f"{url}/livez").status_code == 200:
                    return web
            if web.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the web process did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)


def launch_site(log: Path, **changes: str) -> LiveSite:
    """A web process of a test's own, to be killed or cut off; ``changes`` are made to its environment. ``stop_site`` ends it."""
    environment = test_database_environment() | changes
    url = f"http://{HOST}:{free_port()}"
    return LiveSite(url, environment, _start_web(url, environment, log), log)


def stop_site(site: LiveSite) -> None:
    for process in (*site.relays, site.web):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def test_database_environment() -> dict[str, str]:
    """What a process needs to work on this test worker's database."""
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    return os.environ | {
        "DATABASE_URL": urlunsplit(database._replace(path=f"/{name}")),
        "SECRET_KEY": django_settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "tests.live_settings",
        "KHAREETATY_TEST_PREFIX": f"live-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}",
        "PYTHONUNBUFFERED": "1",
    }


test_database_environment.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def _web_process(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    site = launch_site(tmp_path_factory.mktemp("live") / "web.log")
    yield site
    stop_site(site)


@pytest.fixture
def live_site(_web_process: LiveSite, transactional_db: None) -> Iterator[LiveSite]:
    """The product, running: pages, sockets and the relay, on what this test commits."""
    with quiet_flush(), relay_in_this_process() as stop:
        _web_process.stop_own_relay = stop
        yield _web_process
    for relay in _web_process.relays:
        _end(relay)
    _web_process.relays.clear()
    if _web_process.web.poll() is not None:
        _web_process.start_web()


@contextlib.contextmanager
def quiet_flush() -> Iterator[None]:
    """The TRUNCATE after a test may meet a page's last read: let that read give way, never the TRUNCATE."""
    with connection.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '30s'")
    yield


@contextlib.contextmanager
def relay_in_this_process() -> Iterator[Callable[[], None]]:
    """A relay in a thread: as good as a process for whoever does not kill it, and there at once. Yields what ends it."""
    from core.relay import Relay

    over = threading.Event()
    thread = threading.Thread(target=Relay(poll_s=0.1).run, args=(over,), name="relay", daemon=True)

    def stop() -> None:
        over.set()
        thread.join(10)

    thread.start()
    yield stop
    stop()


def run_async(story: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end in a thread of its own: in this one Playwright's loop may be running."""

    async def whole() -> None:
        try:
            await story
        finally:
            connections.close_all()  # a coroutine has connections of its own,
            await sync_to_async(connections.close_all)()  # and so has the one thread that asks the database for all coroutines

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, whole()).result()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed (apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, live_site: LiveSite) -> Iterator[Page]:
    """A page in a context of its own. An error nobody caught, or a breach of the content security policy, fails the test."""
    context = browser.new_context(
        base_url=live_site.url, viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="Asia/Kuwait"
    )
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(f"uncaught: {error}"))
    tab.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    yield tab
    context.close()
    assert not wrong, wrong


@pytest.fixture
def sign_in(live_site: LiveSite) -> Callable[[Page, Any], None]:
    """``sign_in(page, user)``: the page's context has ``user``'s session from here on."""

    def enter(page: Page, user: Any) -> None:
        page.context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": live_site.url}])

    return enter


def session_of(user: Any) -> str:
    """A new session of ``user``, by its key."""
    from django.test import Client

    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    key = client.session.session_key
    assert key
    return key
