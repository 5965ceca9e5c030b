"""Chainable reads. Every door starts from ``visible_to``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.postgres.search import SearchQuery
from django.db import models
from django.db.models import F
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of, of_agencies
from core.text import fold, western_digits
from incidents.lifecycle import EXITS, OPEN

if TYPE_CHECKING:
    from geography.models import Zone
    from incidents.models import (  # noqa: F401
        DuplicateCandidate,
        FeedHour,
        Forecast,
        Handover,
        HotSpot,
        Incident,
        NearRepeat,
        PipelineRun,
        PipelineStep,
        Score,
        Source,
        Suppression,
        Surface,
    )

_REF = re.compile(r"([A-Z0-9_-]{1,16})-(\d{2})-(\d{1,18})", re.IGNORECASE)
_ZONE_COLUMN = {"governorate": "governorate", "area": "area", "block": "block", "sector": "sector"}


class SourceQuerySet(models.QuerySet["Source"]):
    def visible_to(self, viewer: object) -> SourceQuerySet:
        return of_agencies(self, viewer)

    def in_use(self) -> SourceQuerySet:
        return self.filter(is_active=True)


class IncidentQuerySet(models.QuerySet["Incident"]):
    def visible_to(self, viewer: object) -> IncidentQuerySet:
        return self.filter(jurisdiction_of(viewer).condition())

    def open(self) -> IncidentQuerySet:
        return self.filter(state__in=sorted(OPEN))

    def located(self) -> IncidentQuerySet:
        return self.filter(location__isnull=False)

    def within(self, zone: Zone) -> IncidentQuerySet:
        """Incidents resolved to ``zone``; a country holds its whole region."""
        column = _ZONE_COLUMN.get(zone.level)
        return self.filter(**{column: zone}) if column else self.filter(region=zone.region_id)

    def occurred_between(self, start: datetime, end: datetime) -> IncidentQuerySet:
        """From ``start`` (with) to ``end`` (without)."""
        return self.filter(occurred_at__gte=start, occurred_at__lt=end)

    def modelled(self) -> IncidentQuerySet:
        """What analytics may learn from: reported, not discovered by an officer; of a type not driven by enforcement; located;
        and neither cancelled, unfounded nor a duplicate. Counting where officers look would send them there again."""
        return self.located().exclude(origin="discovered").exclude(state__in=sorted(EXITS)).filter(type__enforcement_sensitive=False)

    def by_ref(self, ref: str) -> IncidentQuerySet:
        """The incident people call ``ref``; none when it is malformed or names another region or year."""
        match = _REF.fullmatch(western_digits(ref).strip())
        if match is None:
            return self.none()
        region, year, number = match.groups()
        if int(number) > 2**63 - 1:
            return self.none()
        start = datetime(2000 + int(year), 1, 1, tzinfo=UTC)
        return self.filter(
            pk=int(number), region__code__iexact=region, received_at__gte=start, received_at__lt=start.replace(year=start.year + 1)
        )

    def matching(self, words: str) -> IncidentQuerySet:
        """Those whose text holds every word of ``words``, as prefixes, folded; a reference finds its incident."""
        found = self.by_ref(words)
        if _REF.fullmatch(western_digits(words).strip()):
            return found
        terms = [term for term in re.findall(r"\w+", fold(words[:200])) if term]
        if not terms:
            return self
        return self.filter(search=SearchQuery(" & ".join(f"'{term}':*" for term in terms), search_type="raw", config="simple"))

    def for_card(self) -> IncidentQuerySet:
        """With all that one row of the board shows."""
        return self.select_related("region", "type", "agency", "source", "governorate", "area").defer(
            "search", "governorate__boundary", "area__boundary"
        )


def switched_off() -> models.QuerySet:
    """The names of the models somebody has switched off, as a subquery."""
    return apps.get_model("incidents", "ModelSwitch").objects.filter(is_on=False).values("model")


class HotSpotQuerySet(models.QuerySet["HotSpot"]):
    def shown(self) -> HotSpotQuerySet:
        """None while their model is switched off."""
        return self.filter(~models.Exists(switched_off().filter(model=self.model.MODEL)))

    def current(self) -> HotSpotQuerySet:
        """Those the newest finished step left standing, worst first; none while their model is switched off."""
        return self.shown().filter(is_current=True).order_by("region_id", "rank")

    def found_by(self, run_id: int) -> HotSpotQuerySet:
        """What stood when ``run_id`` had run; what only looked back never stood."""
        return self.shown().filter(models.Q(is_current=True) | models.Q(track__isnull=False), run=run_id).order_by("region_id", "rank")

    def visible_to(self, viewer: object) -> HotSpotQuerySet:
        """Hot spots are sums over agencies: the governorates decide."""
        places = jurisdiction_of(viewer).governorate_ids
        return self if places is None else self.filter(governorate_id__in=sorted(places))

    def with_places(self) -> HotSpotQuerySet:
        return self.select_related("run", "region", "governorate", "area", "track")


class ForecastQuerySet(models.QuerySet["Forecast"]):
    def current(self) -> ForecastQuerySet:
        """What is published and stands now, but for methods that are switched off."""
        return self.standing().exclude(method__in=switched_off())

    def standing(self) -> ForecastQuerySet:
        """What was published and stands now, switched off or not: see ``services.standing_forecasts``."""
        return self.filter(is_current=True, is_published=True)

    def visible_to(self, viewer: object) -> ForecastQuerySet:
        places = jurisdiction_of(viewer).governorate_ids
        if places is None:
            return self
        return self.filter(models.Q(zone_id__in=sorted(places)) | models.Q(zone__parent_id__in=sorted(places)))

    def of_zone(self, zone_id: int) -> ForecastQuerySet:
        return self.filter(zone_id=zone_id).order_by("day", F("category"))


class SurfaceQuerySet(models.QuerySet["Surface"]):
    """A surface covers a whole region; whoever may see only some governorates sees only their cells (see ``services.surfaces``)."""

    def current(self) -> SurfaceQuerySet:
        return self.filter(is_current=True)

    def published(self) -> SurfaceQuerySet:
        """What people are shown. Where a published model has been switched off, the baseline its gate named stands in from that moment,
        unless that is off too; then there is nothing to show."""
        off = switched_off()
        same = {name: models.OuterRef(name) for name in ("run", "region", "kind", "category")}
        shown_by_off = self.model.objects.filter(**same, horizon=models.OuterRef("horizon"), role="published", model__in=off)
        choices = apps.get_model("incidents", "ModelChoice").objects
        named = choices.filter(
            predicts="risk",
            run=models.OuterRef("run"),
            region=models.OuterRef("region"),
            category=models.OuterRef("category"),
            level=models.OuterRef("horizon"),
            best_baseline=models.OuterRef("model"),
        )
        stands_in = models.Q(role="baseline") & models.Exists(shown_by_off) & models.Exists(named)
        return self.filter(models.Q(role="published") | stands_in).exclude(model__in=off)

    def visible_to(self, viewer: object) -> SurfaceQuerySet:
        """Those of the regions the viewer has governorates in. Which of its cells they may see, ``services.surfaces.sight`` says."""
        places = jurisdiction_of(viewer).governorate_ids
        if places is None:
            return self
        return self.filter(region__in=apps.get_model("geography", "Zone").objects.filter(pk__in=sorted(places)).values("region"))

    def without_cells(self) -> SurfaceQuerySet:
        """For lists: everything but the columns of cells."""
        return self.defer("columns", "rows", "values", "classes", "governorate_ids", "area_ids", "parts")


class ScoreQuerySet(models.QuerySet["Score"]):
    def visible_to(self, viewer: object) -> ScoreQuerySet:
        """A whole region's figures are everybody's who is signed in; a zone's are for those who may see the zone."""
        places = jurisdiction_of(viewer).governorate_ids
        if places is None:
            return self
        ids = sorted(places)
        return self.filter(
            models.Q(zone=None) | models.Q(zone__level="country") | models.Q(zone_id__in=ids) | models.Q(zone__parent_id__in=ids)
        )

    def predictions(self) -> ScoreQuerySet:
        """Without looks back: what was said before the fact."""
        return self.filter(is_hindcast=False)


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def visible_to(self, viewer: object) -> SuppressionQuerySet:
        places = jurisdiction_of(viewer).governorate_ids
        return self if places is None else self.filter(governorate_id__in=sorted(places))

    def in_force(self, *, at: datetime | None = None) -> SuppressionQuerySet:
        """Neither lifted nor ended at ``at`` (now): an end needs nobody to carry it out."""
        return self.filter(lifted_at=None, expires_at__gt=at or timezone.now())

    def touching(self, category: str) -> SuppressionQuerySet:
        """Those that hold for lists of ``category``: its own, and those of all categories."""
        return self.filter(category__in={"", category})


class HandoverQuerySet(models.QuerySet["Handover"]):
    def visible_to(self, viewer: object) -> HandoverQuerySet:
        places = jurisdiction_of(viewer).governorate_ids
        return self if places is None else self.filter(governorate_id__in=sorted(places))


class RunQuerySet(models.QuerySet["PipelineRun"]):
    def visible_to(self, viewer: object) -> RunQuerySet:
        """A run spans every governorate: whoever may see anything may see that it ran, when, and with what."""
        mine = jurisdiction_of(viewer)
        sees_nothing = mine.governorate_ids is not None and not mine.governorate_ids
        return self.none() if sees_nothing else self

    def unfinished(self) -> RunQuerySet:
        return self.filter(status__in=["waiting", "running"])


class StepQuerySet(models.QuerySet["PipelineStep"]):
    def visible_to(self, viewer: object) -> StepQuerySet:
        """Steps of the regions the viewer's governorates lie in."""
        places = jurisdiction_of(viewer).governorate_ids
        if places is None:
            return self
        from geography.models import Zone

        codes = Zone.objects.filter(pk__in=sorted(places)).values_list("region__code", flat=True).distinct()
        here = models.Q(pk__in=[])
        for code in codes:
            here |= models.Q(name__endswith=f":{code}") | models.Q(name__contains=f":{code}:")
        return self.filter(here)

    def claimable(self, *, now: datetime, stale_after: timedelta) -> StepQuerySet:
        """Steps somebody may take: waiting, or held by somebody who has gone silent; of runs that go on."""
        silent = models.Q(status="running") & (models.Q(heartbeat_at__isnull=True) | models.Q(heartbeat_at__lt=now - stale_after))
        return self.filter(models.Q(status="waiting") | silent, run__status="running", run__cancel_requested_at__isnull=True)


class NearRepeatQuerySet(models.QuerySet["NearRepeat"]):
    def current(self) -> NearRepeatQuerySet:
        """What stands now; nothing while the tests are switched off."""
        return self.filter(~models.Exists(switched_off().filter(model=self.model.MODEL)), is_current=True)

    def visible_to(self, viewer: object) -> NearRepeatQuerySet:
        """Those of the viewer's governorates, and those of the whole of a region they have one in."""
        places = jurisdiction_of(viewer).governorate_ids
        if places is None:
            return self
        regions = apps.get_model("geography", "Zone").objects.filter(pk__in=sorted(places)).values("region")
        return self.filter(models.Q(governorate__in=sorted(places)) | models.Q(governorate=None, region__in=regions))


class DuplicateQuerySet(models.QuerySet["DuplicateCandidate"]):
    def visible_to(self, viewer: object) -> DuplicateQuerySet:
        """Whoever may see both incidents: of one alone, nobody is told that there is another."""
        sees = jurisdiction_of(viewer)
        return self.filter(
            sees.condition(agency="first__agency_id", governorate="first__governorate_id"),
            sees.condition(agency="second__agency_id", governorate="second__governorate_id"),
        )

    def waiting(self) -> DuplicateQuerySet:
        """Undecided, and both still stand for themselves; most alike first."""
        ended = sorted(EXITS)
        return self.filter(state="waiting").exclude(first__state__in=ended).exclude(second__state__in=ended).order_by("-score", "-id")

    def about(self, incident_id: int) -> DuplicateQuerySet:
        return self.filter(models.Q(first=incident_id) | models.Q(second=incident_id)).order_by("-score", "-id")

    def with_incidents(self) -> DuplicateQuerySet:
        """With all that a pair shows."""
        names = [f"{side}__{name}" for side in ("first", "second") for name in ("region", "type", "agency", "source", "area")]
        unread = [f"{side}__{name}" for side in ("first", "second") for name in ("search", "area__boundary")]
        return self.select_related(*names, "decided_by").defer(*unread)


class FeedHourQuerySet(models.QuerySet["FeedHour"]):
    def visible_to(self, viewer: object) -> FeedHourQuerySet:
        """Those of the sources of the agencies the viewer sees: a feed's quality is its agency's, wherever it reports from."""
        return of_agencies(self, viewer, "source__agency_id")
