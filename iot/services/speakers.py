"""Who speaks, for doors that thousands come in by at once: known by code, read for all together, looked at again every ``KEYS_KNOWN_S``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.registry import Decoder, decoder
from iot.models import Device, DeviceProfile
from iot.services.senders import Sender

logger = logging.getLogger("telemetry")

PROFILES_KNOWN_S = 5.0
FORGOTTEN_S = 600.0
MOST_KNOWN = 50_000  # beyond it those who were silent for long are forgotten
# The credentials that a broker of ours lets a device in by. One with none left is refused, however long its connection lasts.
_READ = """
SELECT d.code, d.id, d.state, d.profile_id, EXISTS (
    SELECT FROM iot_devicecredential c WHERE c.device_id = d.id AND c.kind IN ('certificate', 'mqtt') AND c.revoked_at IS NULL
    AND (c.not_after IS NULL OR c.not_after > now())
) FROM iot_device d WHERE d.code = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """``decode`` is there where its profile speaks another form than ours. ``is_let_in``: it has what a broker lets it in by."""

    sender: Sender
    profile: str
    kind: str
    decode: Decoder | None
    is_let_in: bool


@dataclass(frozen=True, slots=True)
class _Profile:
    code: str
    kind: str
    metrics: frozenset[str]
    keep_raw_days: int
    most_per_min: int
    decode: Decoder | None


class Speakers:
    """Raises ``django.db.DatabaseError`` from ``learn`` while PostgreSQL is away; what was known is still known then."""

    def __init__(self) -> None:
        self._speakers: dict[str, Speaker] = {}
        self._read_at: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._profiles: dict[int, tuple[float, _Profile]] = {}

    def learn(self, codes: Iterable[str]) -> None:
        """Read whom we do not know, or not lately, and with them those who will soon have to be looked at."""
        now, most = time.monotonic(), settings.KEYS_KNOWN_S
        stale = set()
        for code in codes:
            self._heard[code] = now
            if now - self._read_at.get(code, -1e9) >= most:
                stale.add(code)
        if not stale:
            return
        lately = {code for code, at in self._heard.items() if now - at < most * 2}
        self._read([*stale, *(code for code in lately - stale if now - self._read_at[code] >= most / 2)], now)
        if len(self._heard) > MOST_KNOWN:
            for code in [code for code, at in self._heard.items() if now - at > FORGOTTEN_S]:
                del self._heard[code]
                self._read_at.pop(code, None)
                self._speakers.pop(code, None)

    def get(self, code: str) -> Speaker | None:
        return self._speakers.get(code)

    def knows(self, code: str) -> bool:
        """Whether it was ever asked for."""
        return code in self._read_at

    def _read(self, codes: list[str], now: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [codes])
            rows = cursor.fetchall()
        self._learn_profiles({row[3] for row in rows}, now)
        found = set()
        for code, pk, state, profile_id, is_let_in in rows:
            profile = self._profiles[profile_id][1]
            in_use = state == Device.State.ACTIVE
            sender = Sender(pk, code, in_use, profile.metrics, profile.keep_raw_days, profile.most_per_min)
            self._speakers[code] = Speaker(sender, profile.code, profile.kind, profile.decode, is_let_in)
            found.add(code)
        for code in codes:
            self._read_at[code] = now
            if code not in found:
                self._speakers.pop(code, None)

    def _learn_profiles(self, ids: set[int], now: float) -> None:
        stale = [pk for pk in ids if (known := self._profiles.get(pk)) is None or now - known[0] >= PROFILES_KNOWN_S]
        for profile in DeviceProfile.objects.filter(pk__in=stale).prefetch_related("metrics"):
            self._profiles[profile.pk] = (
                now,
                _Profile(
                    profile.code, profile.kind, frozenset(metric.code for metric in profile.metrics.all()), profile.keep_raw_days,
                    profile.most_per_min, _decoder_of(profile),
                ),
            )  # fmt: skip


def _decoder_of(profile: DeviceProfile) -> Decoder | None:
    if not profile.decoder:
        return None
    try:
        return decoder(profile.decoder, profile.decoder_settings)
    except InvalidSettings as error:
        logger.error("the decoder of profile %s cannot be used: %s", profile.code, error)
        return _unusable(str(error))


def _unusable(why: str) -> Decoder:
    def refuse(payload: object) -> list[Measurement]:
        raise Undecodable(f"the profile's decoder: {why}")

    return refuse
