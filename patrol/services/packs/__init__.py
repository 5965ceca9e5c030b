"""The shift handover pack: generated, edited section by section, signed by two people, frozen."""

from patrol.services.packs.facts import SECTIONS, also_tells, collect
from patrol.services.packs.keeping import (
    announce_unsigned,
    content_hash,
    make_due_packs,
    make_pack,
    note_pack,
    renew_pack,
    return_pack,
    shifts_to_hand_over,
    sign_pack,
)

__all__ = [
    "SECTIONS",
    "also_tells",
    "announce_unsigned",
    "collect",
    "content_hash",
    "make_due_packs",
    "make_pack",
    "note_pack",
    "renew_pack",
    "return_pack",
    "shifts_to_hand_over",
    "sign_pack",
]
