"""Kuwaiti addresses: area, block, street, jadda (lane), building and PACI number, from English and Arabic text.

>>> parse_address("Salmiya block 10 street 5 bldg 12")
Address(area='Salmiya', block='10', street='5', jadda='', building='12', paci='')
>>> parse_address("السالمية قطعة ١٠ شارع ٥ جادة ٣ منزل ١٢").block
'10'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.text import western_digits

MAX_ADDRESS = 300


@dataclass(frozen=True, slots=True)
class Address:
    """The parts that were found; an empty one was not said."""

    area: str = ""
    block: str = ""
    street: str = ""
    jadda: str = ""
    building: str = ""
    paci: str = ""

    def columns(self) -> dict[str, str]:
        """As the columns of an incident, cut to their lengths."""
        return {
            "address_block": self.block[:12],
            "address_street": self.street[:80],
            "address_jadda": self.jadda[:24],
            "address_building": self.building[:24],
            "paci_number": self.paci[:12],
        }


# Longest first where one word begins another; spaces stand for any space.
_WORDS = {
    "paci": "paci|p\\.a\\.c\\.i|automated number|automated|auto no|auto|kuwait finder|"
    "الرقم الآلي|الرقم الالي|رقم آلي|رقم الي|العنوان الآلي",
    "block": "block|blk|bl|b|قطعة|قطعه|القطعة|القطعه|ق",
    "jadda": "jaddah|jadda|jadah|jada|avenue|ave|lane|ln|جادة|جاده|الجادة|الجاده|ج",
    "street": "street|str|st|road|rd|شارع|الشارع|ش|طريق",
    "building": "building|bldg|bld|house|hse|villa|plot|property|h|"
    "قسيمة|قسيمه|القسيمة|منزل|المنزل|بيت|البيت|بناية|بنايه|مبنى|مبني|عمارة|عماره|فيلا|م",
}
_LABEL = "|".join(f"(?P<{part}>{words})" for part, words in _WORDS.items()).replace(" ", r"\s+")
# A label stands alone or directly before its number ("blk10"); "no.", "#" and ":" may lie between.
_LABELLED = re.compile(rf"(?<![^\W_])(?:{_LABEL})(?:(?=[\s.:#\-,،]|\d)|$)[\s.:#\-]*(?:(?:number|no|num|رقم)[\s.:#]*)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,5}(?:\s?[/\-]\s?\d{1,4})?\s?[A-Za-z\u0621-\u064a]?(?![^\W_])")
_END = re.compile(r"[,،;\n]|$")
_PACI = re.compile(r"(?<!\d)\d{8}(?!\d)")
_PAIR = re.compile(r"(?<!\d)(\d{1,3})\s*/\s*(\d{1,4})(?!\d)")


def parse_address(text: str) -> Address:
    """The parts of ``text`` that say what they are. What has no label is not guessed at; the text before the first label is the area."""
    text = western_digits(text[:MAX_ADDRESS]).strip()
    if not text:
        return Address()
    labels = list(_LABELLED.finditer(text))
    found: dict[str, str] = {}
    first = len(text)
    begin = 0
    for place, label in enumerate(labels):
        part = str(label.lastgroup)
        stop = labels[place + 1].start() if place + 1 < len(labels) else len(text)
        value = _value(part, text[label.end() : stop])
        start = label.start()
        if part == "street" and not value:
            # "Tunis Street": the name stands before, behind the last comma.
            name = re.split(r"[,،;\n]", text[begin:start])[-1].strip()
            if begin and name and not any(letter.isdigit() for letter in name):
                value, start = name[:80], start - len(name)
        begin = label.end()
        if value and part not in found:
            found[part] = value
            first = min(first, start)
    if "paci" not in found and (match := _PACI.search(text)):
        found["paci"] = match.group()
        first = min(first, match.start())
    area = re.split(r"[,،;\n\-–/]|\d", text[:first].strip(" ,،-–;"))[0].strip(" .:#") if found else ""
    return Address(
        area=re.sub(r"^(?:area|منطقة|منطقه|ضاحية|المنطقة)[\s:]+", "", area, flags=re.IGNORECASE)[:80],
        block=found.get("block", ""),
        street=found.get("street", ""),
        jadda=found.get("jadda", ""),
        building=found.get("building", ""),
        paci=found.get("paci", ""),
    )


def _value(part: str, rest: str) -> str:
    rest = rest.strip(" .:#-")
    if part == "paci":
        match = _PACI.match(rest)
        return match.group() if match else ""
    match = _NUMBER.match(rest)
    if match:
        return re.sub(r"\s", "", match.group())
    if part == "street":
        # Streets have names too: up to the next comma.
        name = rest[: _END.search(rest).start()].strip()  # type: ignore[union-attr]
        return re.sub(r"\s+", " ", name)[:80]
    return ""
