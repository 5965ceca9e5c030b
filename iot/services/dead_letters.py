"""What was put aside whole, and putting it back once its cause is mended: entries of the dead-letter stream, as they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Invalid, NotAllowed
from iot.models import Device
from iot.permissions import Actor, require
from iot.stream import EPOCH, READINGS, Entry, StreamFull, stream_of

MOST_AT_ONCE = 500
SHOWN = 100
SHOWN_CODES = 5

# KEYS: the stream, its count, the dead letters. ARGV: ids of dead letters. Each moves whole, or not at all.
_BACK = """
local entries, readings = 0, 0
for i = 1, #ARGV do
  local found = redis.call('XRANGE', KEYS[3], ARGV[i], ARGV[i])
  if #found == 1 then
    local fields, n, e = found[1][2], nil, nil
    for f = 1, #fields, 2 do
      if fields[f] == 'n' then n = fields[f + 1] elseif fields[f] == 'e' then e = fields[f + 1] end
    end
    if n and e then
      redis.call('XADD', KEYS[1], '*', 'n', n, 'e', e)
      redis.call('INCRBY', KEYS[2], tonumber(n))
      redis.call('XDEL', KEYS[3], ARGV[i])
      entries, readings = entries + 1, readings + tonumber(n)
    end
  end
end
return {entries, readings}
"""


@dataclass(frozen=True)
class DeadLetter:
    """``can_go_back``: it can be read; what cannot be read would only come back."""

    id: str
    at: datetime
    readings: int
    why: str
    devices: Sequence[str]
    can_go_back: bool


@dataclass(frozen=True)
class PutBack:
    entries: int
    readings: int
    left: int


def sees_dead_letters(actor: Actor | None) -> bool:
    """An entry holds what devices of several agencies said: it is for those who see everything."""
    mine = getattr(actor, "jurisdiction", None)
    return actor is None or (mine is not None and mine.agency_ids is None and mine.governorate_ids is None)


def dead_letters(*, kind: str = READINGS, most: int = SHOWN) -> list[DeadLetter]:
    """The newest first. Raises ``redis.RedisError`` while Redis is away."""
    stream = stream_of(kind)
    rows: Any = stream.client.xrevrange(stream.dead_name, count=most)
    found = [_read(_text(id), fields) for id, fields in rows]
    ids = {device_id for _letter, device_ids in found for device_id in device_ids}
    codes = dict(Device.objects.filter(pk__in=ids).values_list("pk", "code"))
    return [
        DeadLetter(
            letter.id, letter.at, letter.readings, letter.why, sorted({codes[pk] for pk in device_ids if pk in codes})[:SHOWN_CODES],
            letter.can_go_back,
        )
        for letter, device_ids in found
    ]  # fmt: skip


def _read(id: str, fields: dict[bytes, bytes]) -> tuple[DeadLetter, set[int]]:
    entry = Entry(id, int(fields.get(b"n", 1)), bytes(fields.get(b"e", b"")))
    try:
        device_ids, can_go_back = {said.device_id for said in entry.envelopes()}, True
    except ValueError:
        device_ids, can_go_back = set(), False
    at = EPOCH + timedelta(milliseconds=int(id.split("-")[0]))
    return DeadLetter(id, at, entry.n, bytes(fields.get(b"why", b"")).decode("utf-8", "replace"), (), can_go_back), device_ids


def put_back_dead(*, by: Actor | None, ids: Sequence[str] = (), reason: str, kind: str = READINGS) -> PutBack:
    """Put these dead letters, or the oldest few hundred, on the stream again. A writer tries them anew; what breaks it again comes back
    here. Raises ``StreamFull`` where the stream has no room for them."""
    require(by, "manage_devices")
    if not sees_dead_letters(by):
        raise NotAllowed(_("Your role does not allow this."))
    if not reason.strip():
        raise Invalid(_("Some fields are not right."), fields={"reason": _("Say why.")})
    if len(ids) > MOST_AT_ONCE:
        raise Invalid(_("At most %(most)d at once.") % {"most": MOST_AT_ONCE})
    stream = stream_of(kind)
    letters = _chosen(stream, ids)
    waiting = int(stream.client.get(stream.count_name) or 0)  # type: ignore[arg-type]
    if waiting + sum(letter.readings for letter in letters) > settings.IOT_STREAM_MOST:
        raise StreamFull
    entries = readings = 0
    if letters:
        # The audit entry stands before anything moves: if Redis fails, what is on record is what was asked for.
        with transaction.atomic():
            audit.record(
                "telemetry.put_back", by=by, reason=reason.strip(),
                after={
                    "entries": len(letters),
                    "readings": sum(letter.readings for letter in letters),
                    "why": dict(Counter(letter.why[:80] for letter in letters).most_common(5)),
                },
            )  # fmt: skip
            keys = [stream.name, stream.count_name, stream.dead_name]
            entries, readings = stream.client.register_script(_BACK)(keys=keys, args=[letter.id for letter in letters])
    return PutBack(int(entries), int(readings), int(stream.client.xlen(stream.dead_name)))  # type: ignore[arg-type]


def _chosen(stream: Any, ids: Sequence[str]) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    if not ids:
        rows = stream.client.xrange(stream.dead_name, count=MOST_AT_ONCE)
    else:
        rows = [row for id in ids if _is_id(id) for row in stream.client.xrange(stream.dead_name, min=id, max=id)]
    for id, fields in rows:
        letter, _devices = _read(_text(id), fields)
        if letter.can_go_back:
            found.append(letter)
    return found


def _is_id(text: str) -> bool:
    whole, dash, part = text.partition("-")
    return len(text) < 40 and text.isascii() and whole.isdigit() and (not dash or part.isdigit())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
