"""A source's words become ours, by table. A word nobody knows makes an unreviewed type; it never loses a report."""

from __future__ import annotations

import re
import zlib
from functools import partial

from django.db import transaction

from accounts.models import Agency
from core.text import fold
from incidents.models import IncidentType, SeverityMapping, Source, TypeMapping
from incidents.vocabulary import AGENCIES, SEVERITY_WORDS, TYPES

_NOT_A_SLUG = re.compile(r"[^a-z0-9]+")
MAX_WORD = 120


@transaction.atomic
def ensure_vocabulary() -> None:
    """Add the agencies, types and severity words a new installation starts with; what people have edited stays as it is."""
    Agency.objects.bulk_create(
        [Agency(slug=a.slug, kind=a.kind, name_en=a.name_en, name_ar=a.name_ar) for a in AGENCIES], ignore_conflicts=True
    )
    agencies = {agency.slug: agency for agency in Agency.objects.all()}
    IncidentType.objects.bulk_create(
        [
            IncidentType(
                code=t.code,
                name_en=t.name_en,
                name_ar=t.name_ar,
                category=t.category,
                agency=agencies[t.agency],
                default_priority=t.priority,
                default_severity=t.severity,
                icon=t.icon,
                enforcement_sensitive=t.enforcement_sensitive,
            )
            for t in TYPES
        ],
        ignore_conflicts=True,
    )
    SeverityMapping.objects.bulk_create(
        [SeverityMapping(source=None, word=fold(word), severity=severity) for severity, words in SEVERITY_WORDS.items() for word in words],
        ignore_conflicts=True,
    )


class Words:
    """One source's vocabulary, read once and kept while a batch is taken in. Words are compared folded.

    A type word is looked up in the source's own mapping, then among the codes, names and usual words of known types; failing
    all, a type is added, flagged unreviewed, and mapped for this source.

    ``is_shared``: threads that each have a transaction of their own ask the same words. What one adds is then remembered once it is
    committed: a transaction that is undone takes its types with it.
    """

    def __init__(self, source: Source, *, is_shared: bool = False) -> None:
        self.source = source
        self.is_shared = is_shared
        self._types: dict[str, IncidentType] = {}
        known = {kind.code: kind for kind in IncidentType.objects.filter(is_active=True)}
        for row in TYPES:
            if row.code in known:
                for word in row.words:
                    self._types[_key(word)] = known[row.code]
        for kind in known.values():
            if kind.is_reviewed:
                for word in (kind.name_en, kind.name_ar, kind.code):
                    if word:
                        self._types[_key(word)] = kind
        for mapping in TypeMapping.objects.filter(source=source).select_related("type"):
            self._types[_key(mapping.word)] = mapping.type
        self._severities = {m.word: m.severity for m in SeverityMapping.objects.filter(source=None)}
        self._severities.update({m.word: m.severity for m in SeverityMapping.objects.filter(source=source)})
        self.added: list[IncidentType] = []

    def known_type(self, word: str) -> IncidentType | None:
        return self._types.get(_key(word))

    def type_of(self, word: str) -> IncidentType:
        """Our type for ``word``; unknown words are added for this source. An empty word raises ``ValueError``."""
        key = _key(word)
        if not key:
            raise ValueError("an empty type")
        found = self._types.get(key)
        if found is None:
            found = self._add(word, key)
            if self.is_shared:
                transaction.on_commit(partial(self._types.__setitem__, key, found))
            else:
                self._types[key] = found
            if found not in self.added:
                self.added.append(found)
        return found

    @transaction.atomic
    def _add(self, word: str, key: str) -> IncidentType:
        # The code is the source's own, so that two feeds' private words never become one type unseen.
        # A word that does not fit, or is no slug (Arabic), gets a mark of its own: two long words must not become one type.
        slug = _NOT_A_SLUG.sub("-", key).strip("-")
        if slug.replace("-", " ") != key or len(slug) > 36:
            slug = f"{slug[:27].strip('-')}-{zlib.crc32(key.encode()):x}".strip("-")
        code = f"{self.source.slug[:24]}-{slug}"[:64]
        name = " ".join(word.split())[:MAX_WORD]
        kind, _ = IncidentType.objects.get_or_create(
            code=code, defaults={"name_en": name, "agency": self.source.agency, "is_reviewed": False}
        )
        TypeMapping.objects.get_or_create(source=self.source, word=key[:160], defaults={"type": kind})
        return kind

    def severity_of(self, word: str) -> int | None:
        """1 (low) to 4 (critical), or ``None`` for a word the table does not hold."""
        return self._severities.get(fold(word))


def _key(word: str) -> str:
    return fold(word.replace("_", " ").replace("-", " "))[:160]
