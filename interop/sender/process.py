"""The sender's round: write down what came back, claim what is due, hand it to the courier. Start as many as you like.

A process of its own: a receiver that hangs can then be no reason for which an officer is not paged. Whatever happens to the database is
waited out, with the outcomes kept; a sender killed at any moment loses nothing, and what it had sent without writing it down is sent
once more under the same id (docs/decisions/0221).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import timedelta
from queue import Empty

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from core.outbound import Guard
from interop.models import ErrorClass, WebhookSecret, WebhookSubscription
from interop.sender.courier import Courier, Parcel
from interop.services.webhooks.health import send_notices
from interop.services.webhooks.queue import Claim, Outcome, claim_due, claim_tests, write_down
from interop.services.webhooks.rights import Rights, with_rights
from interop.services.webhooks.secrets import living
from interop.services.webhooks.subscriptions import Resolve, by_the_system

logger = logging.getLogger("webhooks")

IDLE_S = 0.25
BUSY_S = 0.03
KNOWN_S = 0.5  # how old what we know of subscriptions, keys and secrets may be: a revoked key is heard within a second
LONGEST_WAIT_S = 5.0
NOTICES_S = 20.0


class WebhookSender:
    def __init__(self, *, owner: str = "", resolve: Resolve = by_the_system) -> None:
        self.owner = owner or f"{socket.gethostname()[:40]}:{os.getpid()}"
        self.timeout_s = float(settings.WEBHOOK_TIMEOUT_S)
        self.lease = timedelta(seconds=2 * self.timeout_s + 5)  # a parcel is begun within one timeout, and done within another
        self.courier = Courier(guard=Guard(tuple(settings.WEBHOOK_ALLOW)), timeout_s=self.timeout_s, resolve=resolve)
        self._unwritten: list[Outcome] = []
        self._known: dict[int, tuple[WebhookSubscription, Rights]] = {}
        self._secrets: dict[int, list[WebhookSecret]] = {}
        self._known_at = self._noticed_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; then what is under way is finished, and the rest given back."""
        logger.info("sending as %s", self.owner)
        fails = 0
        while not stop.is_set():
            try:
                self._collect(IDLE_S if self.courier.is_idle else BUSY_S)
                self.round()
                if time.monotonic() - self._noticed_at > NOTICES_S:
                    self._noticed_at = time.monotonic()
                    send_notices()
                fails = 0
            except (DatabaseError, InterfaceError) as error:
                fails += 1
                logger.warning("the database is away (%s); again soon", str(error).strip().splitlines()[:1])
                connection.close()
                stop.wait(min(0.25 * 2**fails, LONGEST_WAIT_S))
            except Exception:
                fails += 1
                logger.exception("a round failed")
                connection.close()
                stop.wait(min(0.25 * 2**fails, LONGEST_WAIT_S))
        self.close()
        logger.info("stopped")

    def round(self) -> int:
        """Write down, claim, hand over. Returns how many were claimed."""
        if self._unwritten:
            write_down(self._unwritten, owner=self.owner)
            self._unwritten = []
        self._know()
        room = {pk: self.courier.room(pk, one.concurrency) for pk, (one, rights) in self._known.items()}
        claims = claim_due(room=room, owner=self.owner, lease=self.lease)
        tests = claim_tests(owner=self.owner, lease=self.lease)
        self._hand_over(claims + tests)
        return len(claims) + len(tests)

    def until_idle(self, *, within_s: float = 30.0) -> None:
        """Rounds until nothing is due and nothing under way: for tests and for a single run by hand."""
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            self._known_at = float("-inf")
            claimed = self.round()
            self._collect(0.02)
            if not claimed and self.courier.is_idle and not self._unwritten and self.courier.outcomes.empty():
                return
        raise TimeoutError("deliveries are still under way")

    def close(self) -> None:
        self.courier.close(self.timeout_s + 1)
        self._collect(0)
        if self._unwritten:
            try:
                write_down(self._unwritten, owner=self.owner)
            except (DatabaseError, InterfaceError):
                logger.exception("%d outcomes could not be written; their deliveries are sent once more", len(self._unwritten))
        connection.close()

    def _collect(self, wait_s: float) -> None:
        try:
            if wait_s > 0:
                self._unwritten.append(self.courier.outcomes.get(timeout=wait_s))
                time.sleep(min(wait_s, BUSY_S))  # let more come: one transaction for all of them
            while True:
                self._unwritten.append(self.courier.outcomes.get_nowait())
        except Empty:
            return

    def _know(self) -> None:
        if time.monotonic() - self._known_at < KNOWN_S:
            return
        self._known = {one.pk: (one, rights) for one, rights in with_rights()}
        self._read_secrets(list(self._known))
        self._known_at = time.monotonic()

    def _read_secrets(self, ids: list[int]) -> None:
        found: dict[int, list[WebhookSecret]] = {}
        for secret in WebhookSecret.objects.filter(living(at=timezone.now()), subscription__in=ids).order_by("-pk"):
            found.setdefault(secret.subscription_id, []).append(secret)
        self._secrets = found

    def _hand_over(self, claims: list[Claim]) -> None:
        strangers = {claim.subscription_id for claim in claims} - self._known.keys()
        known = self._known | {one.pk: (one, rights) for one, rights in (with_rights(strangers) if strangers else [])}
        if strangers:
            self._read_secrets(list(known))
            self._known_at = float("-inf")
        now, at = time.monotonic(), timezone.now()
        parcels: list[tuple[Parcel, int]] = []
        for claim in claims:
            webhook, rights = known[claim.subscription_id]
            if webhook.state == WebhookSubscription.State.REMOVED:
                self._unwritten.append(Outcome(claim, at, error=ErrorClass.STATE))
            elif not rights.may_hear(
                claim.type, agency_id=claim.agency_id, governorate_id=claim.governorate_id, subject_id=claim.subject_id
            ):
                self._unwritten.append(Outcome(claim, at, error=ErrorClass.RIGHTS))
            else:
                sealed = tuple(one.sealed for one in self._secrets.get(webhook.pk, ()) if one.expires_at is None or one.expires_at > at)
                parcels.append((Parcel(claim, webhook.url, sealed[:2], now), webhook.concurrency))
        if parcels:
            self.courier.send(parcels)
