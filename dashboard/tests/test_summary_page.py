"""ANA-10, the executive summary: every sentence from a stored row, in both languages, on the screen, on paper and for machines."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.utils import timezone, translation

from accounts.models import User
from conftest import Cast, Places
from core import pdf
from core.pdf_process import static_file
from incidents.models import (
    Forecast,
    HotSpot,
    HotSpotTrack,
    Incident,
    IncidentType,
    ModelChoice,
    ModelSwitch,
    NearRepeat,
    PipelineRun,
    PipelineStep,
    Source,
)
from incidents.services.compare import last_whole_day
from incidents.services.summary import Summary, sentence, summarise, summary_scope
from incidents.services.summary.wording import _WORDS
from incidents.services.trust.suppressions import suppress_place
from incidents.tests.compare_support import each, put


@pytest.fixture
def end(places: Places) -> date:
    return last_whole_day(places.region)


@pytest.fixture
def two_years(police_112: Source, burglary: IncidentType, places: Places, end: date) -> None:
    put(
        police_112,
        burglary,
        each(end - timedelta(days=800), end),
        governorate=places.hawalli,
        area=places.salmiya,
        location=places.in_salmiya,
    )
    put(police_112, burglary, each(end - timedelta(days=27), end, 3), governorate=places.hawalli, area=places.jabriya, severity=4)


@pytest.fixture
def night(places: Places) -> PipelineRun:
    run = PipelineRun.objects.create(key="night", as_of=timezone.now(), status="done")
    PipelineStep.objects.create(run=run, name="hotspots:kw", status="done")
    return run


@pytest.fixture
def hot_spot(night: PipelineRun, places: Places, burglary: IncidentType) -> Callable[..., HotSpot]:
    def make(**given: Any) -> HotSpot:
        hull = Polygon.from_bbox((47.92, 29.34, 47.93, 29.35))
        track = HotSpotTrack.objects.create(region=places.region, born_at=timezone.now(), last_seen_at=timezone.now())
        details: dict[str, Any] = {
            "governorate": places.hawalli, "area": places.salmiya, "rank": 1, "incident_count": 45, "area_km2": 0.4, "density_per_km2": 112,
            "severity_score": 90, "peak_hour": 19, "leading_types": [[burglary.code, 30]], "rate_ratio": 2.1, "rate_ratio_low": 1.4,
            "rate_ratio_high": 3.0, "change": "grown", "is_current": True, "hull": hull, "centre": Point(47.925, 29.345, srid=4326),
            "window_from": timezone.now() - timedelta(days=30), "window_to": timezone.now(), "track": track,
        }  # fmt: skip
        return HotSpot.objects.create(run=night, region=places.region, **{**details, **given})

    return make


def of(viewer: User, zone: int | None = None) -> Summary:
    return summarise(viewer=viewer, scope=summary_scope(viewer=viewer, zone=zone))


def said(summary: Summary, section: str, language: str = "en") -> str:
    with translation.override(language):
        return re.sub("[\u2066\u2068\u2069]", "", " ".join(sentence(one) for one in summary.sections[section]))


def codes(summary: Summary, section: str) -> list[str]:
    return [one.code for one in summary.sections[section]]


# --- sentences --------------------------------------------------------------------------------------------------------
def test_what_happened_names_the_counts_and_what_is_beyond_chance(cast: Cast, two_years: None, places: Places) -> None:
    found = of(cast.supervisor)
    text = said(found, "what")
    assert "112 incidents were counted from" in text
    assert "Against the 28 days before (28): +84 (+300 %), more than chance brings." in text
    assert "Property rose: 112 against 28" in text
    # Jabriya had none before: a base of nothing has no percentage.
    assert "Jabriya rose: 84 against 0 in the 28 days before, more than chance brings." in text


def test_a_type_that_is_its_category_is_told_once_and_what_follows_officers_always(
    cast: Cast, two_years: None, police_112: Source, burglary: IncidentType, end: date
) -> None:
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drug offence", category="drugs", enforcement_sensitive=True)
    put(police_112, drugs, each(end - timedelta(days=400), end - timedelta(days=28)))
    put(police_112, drugs, each(end - timedelta(days=27), end, 4))
    found = of(cast.supervisor)
    text = said(found, "what")
    assert "Property rose" in text
    assert "Burglary rose" not in text
    assert "Drug offence rose" in text
    assert "Counts of this type follow where officers are sent." in text
    assert "check first whether officers were sent out more" in said(found, "recommended")


def test_both_languages_have_their_plurals(cast: Cast, police_112: Source, burglary: IncidentType, end: date) -> None:
    put(police_112, burglary, [end])
    assert "1 incident was counted" in said(of(cast.supervisor), "what")
    assert "أُحصي بلاغ واحد" in said(of(cast.supervisor), "what", "ar")
    put(police_112, burglary, [end])
    assert "أُحصي بلاغان" in said(of(cast.supervisor), "what", "ar")
    put(police_112, burglary, [end])
    assert "أُحصيت 3 بلاغات" in said(of(cast.supervisor), "what", "ar")


def test_hot_spots_repeats_and_forecasts_are_told_with_their_rows(
    cast: Cast, two_years: None, night: PipelineRun, hot_spot: Callable[..., HotSpot], places: Places
) -> None:
    spot = hot_spot()
    NearRepeat.objects.create(
        run=night, region=places.region, governorate=places.hawalli, category="property", within_m=200, within_days=14, incident_count=300,
        observed_pairs=160, expected_pairs=100, ratio=1.6, p_value=0.001, q_value=0.01, is_significant=True, permutations=999, seed=1,
        learnt_from=timezone.now(), learnt_to=timezone.now(), is_current=True,
    )  # fmt: skip
    today = timezone.localdate()
    for ahead in range(7):
        Forecast.objects.create(
            run=night, region=places.region, zone=places.hawalli, day=today + timedelta(days=ahead), expected=40 + ahead, low=20, high=60,
            method="weekday_counts", history_days=700, is_current=True,
        )  # fmt: skip
    found = of(cast.supervisor, places.hawalli.pk)
    text = said(found, "why")
    assert "Hot spot #1, Salmiya: 45 incidents in 30 days on 0.4 km². Mostly: Burglary. Most at 18:00–21:00." in text
    assert "It rises by more than chance brings: 2.1 times the windows before." in text
    assert "Property repeats nearby in Hawalli: within 200 m and 14 days of one, others come 1.6 times as often as chance has it." in text
    assert "is above the usual: 301 incidents, where" in text
    evidence = {one.code: one.evidence for one in found.sections["why"]}
    assert evidence["hot_spot"] is not None and evidence["hot_spot"].ids == (spot.pk,)
    advice = said(found, "recommended")
    assert "At Salmiya (hot spot #1, most at 18:00–21:00): look at lighting and sight lines" in advice
    assert "tell the neighbours within 200 m" in advice
    assert "Plan readiness for about 301 incidents" in advice
    assert all(found.statement(one.because) is not None for one in found.sections["recommended"])


def test_what_a_switch_turns_off_is_not_told(cast: Cast, two_years: None, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot()
    ModelSwitch.objects.create(model=HotSpot.MODEL, is_on=False, reason="test")
    assert codes(of(cast.supervisor), "why") == ["no_hot_spot", "no_forecast"]


def test_a_falling_hot_spot_calls_for_nothing(cast: Cast, two_years: None, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot(rate_ratio=0.5, rate_ratio_low=0.3, rate_ratio_high=0.8)
    found = of(cast.supervisor)
    assert "It falls by more than chance brings" in said(found, "why")
    assert "suggest_property" not in codes(found, "recommended")


def test_a_place_people_hold_back_is_told_and_not_suggested(cast: Cast, two_years: None, hot_spot: Callable[..., HotSpot]) -> None:
    spot = hot_spot()
    suppress_place(centre=spot.centre, radius_m=300, days=7, reason="A school holds its fair here.", by=cast.supervisor)
    found = of(cast.supervisor)
    assert "People hold it back from patrol until" in said(found, "why")
    assert "suggest_property" not in codes(found, "recommended")


def test_the_running_score_is_told_or_that_there_is_none(cast: Cast, two_years: None) -> None:
    assert "No prediction has been scored here yet." in said(of(cast.supervisor), "limits")


def test_without_incidents_it_is_honest(cast: Cast, places: Places) -> None:
    found = of(cast.supervisor)
    assert said(found, "what") == "No incident has been reported that you may see."
    assert codes(found, "why") == ["no_hot_spot", "no_forecast"]
    assert "The analytics have never run here." in said(found, "freshness")
    assert codes(found, "recommended") == ["suggest_run"]


def test_data_that_have_ended_are_told_up_to_their_end(cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    put(police_112, burglary, each(date(2015, 6, 1), date(2017, 12, 31)), governorate=places.hawalli)
    found = of(cast.supervisor)
    assert found.until == date(2017, 12, 31)
    assert "The data end on 31 December 2017" in said(found, "what")
    assert "28 incidents were counted" in said(found, "what")


def test_a_silent_feed_an_old_run_and_a_failed_step_are_named(cast: Cast, police_112: Source, two_years: None, night: PipelineRun) -> None:
    Incident.objects.update(reported_at=timezone.now() - timedelta(days=9))
    Source.objects.filter(pk=police_112.pk).update(last_received_at=timezone.now() - timedelta(days=9))
    PipelineRun.objects.filter(pk=night.pk).update(as_of=timezone.now() - timedelta(days=3))
    later = PipelineRun.objects.create(key="later", as_of=timezone.now(), status="failed")
    PipelineStep.objects.create(run=later, name="hotspots:kw:property", status="failed", error="boom")
    found = of(cast.supervisor)
    assert {"source_silent", "run_late", "run_failed"} <= set(codes(found, "freshness"))
    assert "112 is silent" in said(found, "freshness")
    assert "Ask why 112 has fallen silent" in said(found, "recommended")


def test_limits_name_small_counts_baselines_and_made_up_data(
    cast: Cast, police_112: Source, burglary: IncidentType, places: Places, night: PipelineRun, end: date
) -> None:
    put(police_112, burglary, each(end - timedelta(days=60), end)[::9], governorate=places.hawalli, is_synthetic=True)
    ModelChoice.objects.create(
        run=night, region=places.region, predicts="forecast", level="area", champion="counts", best_baseline="mean_28", published="mean_28",
        beats_baseline=False, origins=26, is_current=True,
    )  # fmt: skip
    text = said(of(cast.supervisor), "limits")
    assert "The data are synthetic" in text
    assert "No model beats counting for forecast (areas): a baseline that only counts stands in." in text
    assert "too few incidents to say anything" in text
    assert "the counts above are of the agencies you may see" in text
    assert "own_agencies" not in codes(of(cast.superadmin), "limits")


def test_each_code_has_words_in_both_languages(cast: Cast, two_years: None, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot()
    found = of(cast.supervisor)
    for statements in found.sections.values():
        for one in statements:
            assert one.code in _WORDS
            with translation.override("ar"):
                assert re.search("[\u0600-\u06ff]", sentence(one)), one.code


# --- the page ---------------------------------------------------------------------------------------------------------
def test_the_page_shows_the_five_sections(client: Any, cast: Cast, two_years: None, hot_spot: Callable[..., HotSpot]) -> None:
    spot = hot_spot()
    client.force_login(cast.officer)
    page = client.get("/summary/").content.decode()
    titles = ("What happened", "Why: what the analytics found", "Suggested, for a person to decide")
    for title in (*titles, "How fresh the data are", "What this cannot say"):
        assert title in page
    assert f"/hotspots/#hotspot-{spot.pk}" in page
    assert '<bdi dir="ltr">#1</bdi>' in page


def test_a_governorate_of_ones_own_opens_and_a_foreign_one_is_not_there(client: Any, cast: Cast, places: Places) -> None:
    client.force_login(cast.officer)
    for end in ("/", ".pdf"):
        assert client.get(f"/summary/{places.capital.pk}{end}").status_code == 404
        assert client.get(f"/summary/{places.salmiya.pk}{end}").status_code == 404  # an area is no governorate
        assert client.get(f"/summary/{2**70}{end}").status_code == 404
    assert client.get("/summary/?region=atlantis").status_code == 404
    assert client.get(f"/summary/{places.hawalli.pk}/").status_code == 200


def test_names_cannot_bring_markup(client: Any, cast: Cast, police_112: Source, two_years: None) -> None:
    Source.objects.filter(pk=police_112.pk).update(name="<script>alert(1)</script>", last_received_at=timezone.now())
    client.force_login(cast.officer)
    page = client.get("/summary/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_who_is_not_signed_in_signs_in_first(client: Any, db: None) -> None:
    assert client.get("/summary/").status_code == client.get("/summary.pdf").status_code == 302


def test_whoever_has_no_governorate_is_told(client: Any, cast: Cast) -> None:
    cast.officer.governorates.clear()
    client.force_login(cast.officer)
    assert "No governorate is assigned to you." in client.get("/summary/").content.decode()
    assert client.get("/summary.pdf").status_code == 404


# --- the document -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_document_is_a_pdf_with_our_fonts(client: Any, cast: Cast, two_years: None, language: str) -> None:
    client.force_login(cast.officer)
    client.cookies["django_language"] = language
    response = client.get("/summary.pdf")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="summary-kw-{language}.pdf"'
    assert response.content.startswith(b"%PDF-")
    assert len(response.content) > 5_000


def test_the_document_is_made_once_for_all_who_see_the_same(client: Any, cast: Cast, two_years: None, monkeypatch: Any) -> None:
    made: list[str] = []

    def render(html: str) -> bytes:
        made.append(html)
        return b"%PDF-1.7 test"

    monkeypatch.setattr(pdf, "render", render)
    for person in (cast.officer, cast.dispatcher, cast.stranger):
        client.force_login(person)
        assert client.get("/summary.pdf").status_code == 200
    assert len(made) == 2  # the stranger sees another governorate


def test_too_many_documents_at_once_are_told_to_come_back(client: Any, cast: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(pdf, "WAIT_S", 0.05)
    client.force_login(cast.officer)
    with pdf._slots, pdf._slots:
        response = client.get("/summary.pdf")
    assert response.status_code == 503
    assert response["Retry-After"] == "60"


def test_a_document_that_cannot_be_made_ends_the_child_not_the_site() -> None:
    with pytest.raises(pdf.PdfFailed):
        pdf.render("x" * (pdf.MAX_HTML_BYTES + 1))


def test_a_slow_document_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(pdf, "TIMEOUT_S", 0.05)
    with pytest.raises(pdf.PdfFailed):
        pdf.render("<p>slow")


def test_a_document_fetches_only_our_static_files(tmp_path: Any) -> None:
    root = tmp_path / "static"
    root.mkdir()
    (root / "a.css").write_text("p {}")
    (tmp_path / "secret").write_text("x")
    base = "https://static.invalid/"
    assert static_file(f"{base}a.css", base, [root]) == root / "a.css"
    for url in (
        "file:///etc/passwd", "http://169.254.169.254/latest", f"{base}../secret", f"{base}%2e%2e/secret", f"{base}/../secret",
        "https://static.invalid.evil.example/a.css", "https://user@static.invalid/a.css", "data:text/css,p{}", f"{base}missing.css",
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"not ours|no such file"):
            static_file(url, base, [root])


def test_the_web_process_does_not_carry_the_pdf_engine() -> None:
    import subprocess
    import sys

    heavy = "{'weasyprint', 'pandas', 'holidays'} & set(sys.modules)"
    code = f"import sys, django; django.setup(); import khareetaty.urls; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
