"""As which source a partner speaks, and in which words; remembered by the process for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core.errors import NotAllowed
from incidents.models import Source
from incidents.services.vocabulary import Words
from interop.models import Feed, Partner

# A change in the command centre (a source switched off, a word mapped) is seen by the intake within this time.
REMEMBERED_FOR_S = 10.0
T = TypeVar("T")
_remembered: dict[Hashable, tuple[float, Any]] = {}


def _remember(name: Hashable, make: Callable[[], T]) -> T:
    now = time.monotonic()
    found = _remembered.get(name)
    if found is not None and found[0] > now:
        return found[1]
    if len(_remembered) > 1_000:
        _remembered.clear()
    value = make()
    _remembered[name] = (now + REMEMBERED_FOR_S, value)
    return value


def forget() -> None:
    """Read everything anew at the next message."""
    _remembered.clear()


def feed_of(*, partner: Partner, kind: str) -> Feed:
    """The partner's feed of this kind, made at the first message. ``NotAllowed`` where it may not send such messages."""
    if kind not in partner.kinds:
        raise NotAllowed(_("This partner may not send messages of this kind."))
    feed = _remember(("feed", partner.pk, kind), lambda: _find_or_make(partner, kind))
    if not feed.source.is_active:
        raise NotAllowed(_("This feed is switched off."))
    return feed


def words_of(source: Source) -> Words:
    return _remember(("words", source.pk), lambda: Words(source, is_shared=True))


def _find_or_make(partner: Partner, kind: str) -> Feed:
    known = Feed.objects.select_related("source__region", "source__agency", "partner").filter(partner=partner, kind=kind)
    feed = known.first()
    if feed is None:
        try:
            with transaction.atomic():
                source, _made = Source.objects.get_or_create(
                    slug=f"{partner.slug}-{kind}",
                    defaults={
                        "name": f"{partner.name} · {kind}"[:120],
                        "agency": partner.agency,
                        "region": partner.region,
                    },
                )
                Feed.objects.create(partner=partner, kind=kind, source=source)
        except IntegrityError:
            # Another request made it a moment ago.
            pass
        feed = known.get()
    return feed
