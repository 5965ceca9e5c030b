"""Whose incidents a viewer may see: a frozen value that every ``visible_to`` starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from django.db.models import Q, QuerySet

Rows = TypeVar("Rows", bound=QuerySet[Any])


@dataclass(frozen=True)
class Jurisdiction:
    """``None`` means every agency (or governorate), said explicitly; an empty set means none. Nothing fails open."""

    agency_ids: frozenset[int] | None = frozenset()
    governorate_ids: frozenset[int] | None = frozenset()

    @classmethod
    def everything(cls) -> Jurisdiction:
        return cls(None, None)

    @classmethod
    def nothing(cls) -> Jurisdiction:
        return cls()

    def admits(self, *, agency_id: int | None, governorate_id: int | None, or_shared: bool = False) -> bool:
        """Whether a row of this agency and governorate may be seen. A row with no governorate belongs to its agency alone.
        ``or_shared``: one that is of a place and of no agency is seen by every agency there."""
        is_shared = or_shared and agency_id is None and governorate_id is not None and self.agency_ids != frozenset()
        if self.agency_ids is not None and agency_id not in self.agency_ids and not is_shared:
            return False
        if self.governorate_ids is None:
            return True
        if governorate_id is None:
            return bool(self.governorate_ids)
        return governorate_id in self.governorate_ids

    def condition(self, *, agency: str = "agency_id", governorate: str = "governorate_id", or_shared: bool = False) -> Q:
        """The same rule as a database condition on the named columns."""
        condition = Q()
        if self.agency_ids is not None:
            of_agency = Q(**{f"{agency}__in": sorted(self.agency_ids)})
            if or_shared and self.agency_ids:
                of_agency |= Q(**{f"{agency}__isnull": True, f"{governorate}__isnull": False})
            condition &= of_agency
        if self.governorate_ids is not None:
            here = Q(**{f"{governorate}__in": sorted(self.governorate_ids)})
            if self.governorate_ids:
                here |= Q(**{f"{governorate}__isnull": True})
            condition &= here
        return condition


@runtime_checkable
class Viewer(Protocol):
    """Anybody a row may be shown to: a person, a partner's key."""

    @property
    def jurisdiction(self) -> Jurisdiction: ...


def jurisdiction_of(viewer: object) -> Jurisdiction:
    """The viewer's jurisdiction; somebody unknown sees nothing."""
    return viewer.jurisdiction if isinstance(viewer, Viewer) else Jurisdiction.nothing()


def of_agencies(rows: Rows, viewer: object, column: str = "agency_id", *, also_without: bool = False) -> Rows:
    """The rows whose agency (``column``) is one of the viewer's; with ``also_without`` those that hang on nothing, too."""
    agencies = jurisdiction_of(viewer).agency_ids
    if agencies is None:
        return rows
    condition = Q(**{f"{column}__in": sorted(agencies)})
    if also_without:
        condition |= Q(**{f"{column.rsplit('__', 1)[0]}__isnull": True})
    return rows.filter(condition)
