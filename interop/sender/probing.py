"""Looks at other systems: all that are due at once, each with an end, to the address that was checked, and no further.

They are made in the webhook sender's process, by a thread of their own: a system that hangs holds up no worker that pages people, and no
webhook either.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpcore
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from core.outbound import BadUrl, Guard, check_url, tls_context
from interop.models import ErrorClass, ExternalSystem, SystemProbe
from interop.sender.guarded import GuardedNetwork, Refused, Unknown, class_of
from interop.services.systems import Finding, claim_due, guard, listen_for, note_findings
from interop.services.webhooks.subscriptions import Resolve, by_the_system

logger = logging.getLogger("systems")

Error = SystemProbe.Error
AGENT = b"Khareetaty-Health/1"
EVERY_S = 10.0


def keep_looking(stop: threading.Event, *, every_s: float = EVERY_S) -> None:
    """Rounds until told to stop. Each system is claimed, so several processes may do this."""
    while not stop.is_set():
        try:
            probe_due_systems()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("looks at systems wait for the database (%s)", str(error).strip().splitlines()[:1])
            connection.close()
        except Exception:
            # The outermost loop: a fault in one round must not end all later ones.
            logger.exception("a round of looks at systems failed")
            connection.close()
        stop.wait(every_s)
    connection.close()


def probe_due_systems(*, resolve: Resolve = by_the_system) -> int:
    """Look at every system whose turn it is; how many."""
    due = claim_due()
    called = [system for system in due if system.probe != ExternalSystem.Probe.HEARD]
    findings = [listen_for(system) for system in due if system.probe == ExternalSystem.Probe.HEARD]
    if called:
        findings += asyncio.run(_look_at(called, guard(), resolve))
    note_findings(findings)
    return len(due)


async def _look_at(systems: Sequence[ExternalSystem], allowed: Guard, resolve: Resolve) -> list[Finding]:
    async def look_up(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(None, resolve, host, port)

    network = GuardedNetwork(allowed, look_up)
    return list(await asyncio.gather(*(_look(system, network) for system in systems)))


async def _look(system: ExternalSystem, network: GuardedNetwork) -> Finding:
    at, began = timezone.now(), time.monotonic()

    def found(error: str = "", detail: str = "", code: int | None = None) -> Finding:
        ms = round((time.monotonic() - began) * 1000, 1)
        return Finding(system.pk, at, not error, ms=ms, code=code, error=error, detail=detail)

    try:
        async with asyncio.timeout(system.timeout_s):
            if system.probe == ExternalSystem.Probe.TCP:
                stream = await network.connect_tcp(system.host, int(system.port or 0))
                answer = found()
                await stream.aclose()
                return answer
            code, detail = await _status(system.health_url, network, system.timeout_s)
    except (BadUrl, Refused) as bad:
        return found(Error.REFUSED, str(bad))
    except Unknown as error:
        return found(Error.DNS, str(error))
    except (TimeoutError, httpcore.TimeoutException):
        return found(Error.TIMEOUT)
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        kind = class_of(error)
        known = {ErrorClass.TLS: Error.TLS, ErrorClass.PROTOCOL: Error.PROTOCOL}
        return found(known.get(ErrorClass(kind), Error.CONNECT), str(error) or type(error).__name__)
    except Exception as error:  # whatever a library meets in a strange answer is that system's failure, and no other's
        return found(Error.PROTOCOL, f"{type(error).__name__}: {error}")
    if 200 <= code < 300:
        return found(code=code)
    return found(Error.REDIRECT if 300 <= code < 400 else Error.HTTP, detail, code)


async def _status(address: str, network: GuardedNetwork, timeout_s: float) -> tuple[int, str]:
    """The status of a GET, and where a redirect would lead (it is not followed). Nothing of the body is read."""
    url = check_url(address, network.guard)
    limits = {"connect": timeout_s, "read": timeout_s, "write": timeout_s, "pool": timeout_s}
    headers = [(b"Host", urlsplit(url.text).netloc.encode()), (b"User-Agent", AGENT), (b"Accept", b"*/*"), (b"Connection", b"close")]
    async with (
        httpcore.AsyncConnectionPool(ssl_context=tls_context(), network_backend=network, retries=0) as pool,
        pool.stream("GET", url.text, headers=headers, extensions={"timeout": limits}) as response,
    ):
        named = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        return response.status, named.get(b"location", "")[:200]
