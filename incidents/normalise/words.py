"""Words for priority and origin that mean the same to every source."""

from __future__ import annotations

import re
from typing import Any

from core.text import fold

_PRIORITY = {
    1: "immediate emergency critical life threatening طارئ فوري طوارئ حرج",
    2: "urgent high عاجل مرتفع عالي عاليه",
    3: "soon normal medium moderate متوسط عادي",
    4: "routine low منخفض روتيني",
    5: "when possible information informational deferred مؤجل معلومات",
}
_PRIORITY_BY_WORD = {fold(word): level for level, words in _PRIORITY.items() for word in words.split()}
_PRIORITY_BY_WORD |= {fold("life threatening"): 1, fold("when possible"): 5}
_NUMBERED = re.compile(r"(?:p|prio|priority|code|اولويه)?[\s\-_:]*(-?\d+)(?:\.0+)?", re.IGNORECASE)

_REPORTED = (
    "reported,report,call,caller,called,phone,telephone,112,911,999,citizen,public,victim,witness,complaint,app,web,email,walk in,"
    "reported by the public,بلاغ,مبلغ,اتصال,مكالمه,هاتف,مواطن,شكوي,شاهد,المجني عليه,تطبيق"
)
_DISCOVERED = (
    "discovered,officer,patrol,police,on view,onview,self initiated,officer initiated,proactive,stop,checkpoint,observed,"
    "discovered by an officer,دوريه,ضابط,رجل امن,ضبط,نقطه تفتيش,شرطه,مبادره"
)
_ORIGIN = {fold(word): "reported" for word in _REPORTED.split(",")} | {fold(word): "discovered" for word in _DISCOVERED.split(",")}


def number_in(word: Any) -> int | None:
    """The whole number ``word`` is (3, 3.0, "3", "P3", "٣"), ``None`` where it is none."""
    if isinstance(word, bool) or word is None:
        return None
    if isinstance(word, int | float):
        return int(word) if word == word and abs(word) < 1e9 and int(word) == word else None
    match = _NUMBERED.fullmatch(fold(str(word))[:40])
    return int(match.group(1)[:9]) if match else None


def priority_of(word: str) -> int | None:
    """1 (at once) to 5 (when possible) for a word; ``None`` for one that means nothing to us."""
    return _PRIORITY_BY_WORD.get(fold(word))


def origin_of(word: str) -> str:
    """``reported``, ``discovered`` or ``unknown``."""
    return _ORIGIN.get(fold(word.replace("-", " ").replace("_", " ")), "unknown")
