"""Reports with known duplicates, made up: what the likeness of two reports is chosen and judged on. Nothing here is real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidents.analytics.duplicates import Sighting

SIDE_M = 18_000.0
HOT_PLACES = 40
# What happened: our type, its category, how the agencies that also come call it, and how people put it in two languages.
_KINDS = (
    ("traffic-accident", "traffic", (("injury", "medical"), ("traffic-accident", "traffic"), ("vehicle-fire", "fire")),
     ("two cars collided", "crash between cars, road blocked", "accident, car turned over"),
     ("تصادم بين سيارتين", "حادث مروري وإغلاق الطريق", "انقلاب مركبة")),
    ("building-fire", "fire", (("breathing-problem", "medical"), ("building-fire", "fire"), ("smoke", "fire")),
     ("smoke from a building", "fire in a flat", "flames on the roof"),
     ("دخان من عمارة", "حريق في شقة", "لهب على السطح")),
    ("assault", "violence", (("injury", "medical"), ("fight", "disorder"), ("assault", "violence")),
     ("men fighting", "a man was beaten", "quarrel with sticks"),
     ("مشاجرة بين أشخاص", "اعتداء على رجل", "شجار بالعصي")),
    ("burglary", "property", (("burglary", "property"), ("theft", "property")),
     ("house broken into", "door forced and things taken", "thieves in the building"),
     ("سرقة منزل", "كسر باب وسرقة", "لصوص في العمارة")),
    ("noise", "disorder", (("noise", "disorder"), ("complaint", "service")),
     ("loud music", "noise of a party", "cars racing at night"),
     ("إزعاج وموسيقى", "ضوضاء حفلة", "تفحيط سيارات")),
    ("collapse", "medical", (("collapse", "medical"), ("welfare-check", "welfare")),
     ("person fell and does not answer", "man unconscious", "elderly woman fell"),
     ("شخص سقط ولا يستجيب", "رجل فاقد الوعي", "سقوط امرأة مسنة")),
)  # fmt: skip
_NEAR = (
    ("the cooperative", "الجمعية"), ("the mosque", "المسجد"), ("the school", "المدرسة"), ("the petrol station", "محطة الوقود"),
    ("the park", "الحديقة"), ("the roundabout", "الدوار"), ("the clinic", "المستوصف"), ("the mall", "المجمع"),
)  # fmt: skip
_MORE = (
    ("white car", "سيارة بيضاء"), ("red truck", "شاحنة حمراء"), ("third floor", "الدور الثالث"), ("two people hurt", "إصابة شخصين"),
    ("children inside", "أطفال في الداخل"), ("caller very upset", "المتصل منفعل"), ("nobody hurt", "لا إصابات"),
    ("blocked lane", "حارة مغلقة"),
)  # fmt: skip
_SWAPS = (("ة", "ه"), ("أ", "ا"), ("إ", "ا"), ("ى", "ي"), ("a", "e"), ("i", "y"))


@dataclass(frozen=True)
class MadeUp:
    """``events[i]`` is the event that report ``i`` is about: two reports of one event are duplicates."""

    reports: list[Sighting]
    events: list[int]

    def duplicates(self) -> set[tuple[int, int]]:
        by_event: dict[int, list[int]] = {}
        for number, event in enumerate(self.events):
            by_event.setdefault(event, []).append(number)
        return {(a, b) for some in by_event.values() for i, a in enumerate(some) for b in some[i + 1 :]}


def made_up_reports(*, seed: int, events: int = 4_000, days: float = 3.0) -> MadeUp:
    """``events`` events in ``days`` over a city with places where much happens; a fifth are reported twice or three times.

    A second report comes from another desk: some 70 m off (one in ten: 350 m), some minutes later (one in ten: an hour), often under
    another type, in other words with a detail in common, one in three in the other language, one in five without any text.
    """
    rng = np.random.default_rng(seed)
    hot = rng.uniform(0, SIDE_M, (HOT_PLACES, 2))
    made = MadeUp([], [])
    for event in range(events):
        at = hot[rng.integers(HOT_PLACES)] + rng.normal(0, 250, 2) if rng.random() < 0.4 else rng.uniform(0, SIDE_M, 2)
        minute = float(rng.uniform(0, days * 1_440))
        kind = _KINDS[rng.integers(len(_KINDS))]
        place, more, street = _NEAR[rng.integers(len(_NEAR))], _MORE[rng.integers(len(_MORE))], int(rng.integers(1, 60))
        for copy in range(1 + (rng.random() < 0.2) * int(rng.choice([1, 1, 1, 2]))):
            type_, category = (kind[0], kind[1]) if copy == 0 else kind[2][rng.integers(len(kind[2]))]
            off = rng.normal(0, 350 if copy and rng.random() < 0.1 else (70 if copy else 15), 2)
            late = (float(rng.uniform(20, 80)) if rng.random() < 0.1 else float(rng.exponential(7))) if copy else 0.0
            text = _said(rng, kind, place, more, street)
            x, y = (float(value) for value in at + off)
            made.reports.append(Sighting(x, y, minute + late, type_, category, text))
            made.events.append(event)
    return made


def _said(rng: np.random.Generator, kind: tuple, place: tuple[str, str], more: tuple[str, str], street: int) -> str:
    if rng.random() < 0.2:
        return ""
    arabic = int(rng.random() < 0.67)
    what = kind[3 + arabic][rng.integers(3)]
    parts = [what]
    if rng.random() < 0.7:
        parts.append(f"{('near', 'قرب')[arabic]} {place[arabic]}")
    if rng.random() < 0.6:
        parts.append(f"{('street', 'شارع')[arabic]} {street}")
    if rng.random() < 0.5:
        parts.append(more[arabic])
    text = " ".join(parts if rng.random() < 0.7 else parts[::-1])
    if rng.random() < 0.3:
        old, new = _SWAPS[rng.integers(len(_SWAPS))]
        text = text.replace(old, new)
    return text
