"""ALR-2: the on-call calendar through its doors: the page, the feed, the API, the command centre."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from alerts.models import LayerMember, OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.services.oncall import make_override, on_call_now
from interop.models import Partner
from interop.services import issue_key

pytestmark = pytest.mark.usefixtures("this_minute")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KUWAIT = ZoneInfo("Asia/Kuwait")


def enter(person: Any) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def send(client: Client, path: str, body: Any = None, verb: str = "post") -> Any:
    return getattr(client, verb)(f"/api/v1/oncall/{path}", json.dumps(body or {}), content_type="application/json")


def local(moment: datetime) -> str:
    return f"{moment.astimezone(KUWAIT):%Y-%m-%dT%H:%M}"


def span(start: timedelta = HOUR, end: timedelta = 3 * HOUR, **more: Any) -> dict[str, Any]:
    return {"starts_at": local(NOW + start), "ends_at": local(NOW + end), **more}


# --- the page ----------------------------------------------------------------------------------------------------------------------------


def test_the_page_shows_who_is_on_call_now_two_or_four_weeks_and_the_final_line(alerting: Any, cast: Any) -> None:
    desk = enter(cast.supervisor)
    page = desk.get(reverse("oncall")).content.decode()
    assert page.count("is-final") == 2 and "Hawalli duty officer" in page and "supervisor" in page
    assert desk.get(reverse("oncall"), {"weeks": "4"}).content.decode().count("is-final") == 4
    for odd in ({"from": "nonsense"}, {"from": "9999-99-99"}, {"weeks": "5000"}, {"s": "x", "e": "9" * 40}, {"from": "2031-01-01"}):
        assert desk.get(reverse("oncall"), odd).status_code == 200


def test_a_hole_is_shown_in_words(alerting: Any, cast: Any) -> None:
    make_override(schedule=alerting.schedule, by=None, user=None, reason="closed", starts_at=NOW + HOUR, ends_at=NOW + DAY)
    page = enter(cast.dispatcher).get(reverse("oncall")).content.decode()
    assert "Nobody is on call." in page and "is-gap" in page
    assert 'id="override"' not in page  # a dispatcher sees and does not change


def test_the_page_is_for_those_who_see_alerts_or_stand_on_a_schedule(alerting: Any, cast: Any) -> None:
    assert enter(cast.officer).get(reverse("oncall")).status_code == 404
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.officer)
    assert enter(cast.officer).get(reverse("oncall")).status_code == 200
    assert enter(cast.firefighter).get(reverse("oncall"), {"schedule": "hawalli-duty"}).status_code == 404
    assert Client().get(reverse("oncall")).status_code == 302


def test_an_override_is_made_from_the_page_on_the_schedules_own_clock(alerting: Any, cast: Any) -> None:
    desk = enter(cast.supervisor)
    answer = desk.post(reverse("oncall-override", args=[alerting.schedule.pk]), span(person=cast.dispatcher.pk))
    assert answer.status_code == 302
    assert OnCallOverride.objects.get().starts_at == NOW + HOUR
    again = desk.post(reverse("oncall-override", args=[alerting.schedule.pk]), span(person=cast.officer.pk))
    assert again.status_code == 409 and "over_others" in again.content.decode()
    over = desk.post(reverse("oncall-override", args=[alerting.schedule.pk]), span(person=cast.officer.pk, over_others="1"))
    assert over.status_code == 302
    newest = OnCallOverride.objects.latest("pk")
    assert desk.post(reverse("oncall-override-cancel", args=[newest.pk])).status_code == 302
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW + 2 * HOUR) == [cast.dispatcher.pk]


@pytest.mark.parametrize(
    "given", [{}, {"starts_at": "x"}, {"person": "99999999999999999999"}, {"person": "0 or 1"}, {"ends_at": "2020-01-01T00:00"}]
)
def test_what_a_form_cannot_mean_is_refused_with_a_sentence(alerting: Any, cast: Any, given: dict[str, Any]) -> None:
    body = {} if not given else {**span(person=cast.dispatcher.pk), **given}
    assert enter(cast.supervisor).post(reverse("oncall-override", args=[alerting.schedule.pk]), body).status_code == 422


def test_a_swap_is_asked_taken_and_withdrawn_from_the_page(alerting: Any, cast: Any) -> None:
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.supervisor)
    desk, other = enter(cast.supervisor), enter(cast.dispatcher)
    address = reverse("oncall-swap", args=[alerting.schedule.pk])
    assert desk.post(address, span(person=cast.dispatcher.pk)).status_code == 302
    assert "I take it" in other.get(reverse("oncall")).content.decode()
    swap = ShiftSwap.objects.get()
    assert other.post(reverse("oncall-swap-withdraw", args=[swap.pk])).status_code == 403
    assert enter(cast.firefighter).post(reverse("oncall-swap-take", args=[swap.pk])).status_code == 404
    assert other.post(reverse("oncall-swap-take", args=[swap.pk])).status_code == 302
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW + 2 * HOUR) == [cast.dispatcher.pk]
    assert desk.post(reverse("oncall-swap-withdraw", args=[swap.pk])).status_code == 409


def test_the_feed_is_read_with_its_key_alone_and_by_nobody_after_it_was_turned(alerting: Any, cast: Any) -> None:
    desk = enter(cast.supervisor)
    address = reverse("oncall-feed", args=[alerting.schedule.pk])
    page = desk.post(address).content.decode()
    path = (
        page.split("/oncall/")[-1] if "/oncall/" not in page else page[page.index("testserver/oncall/") + len("testserver") :].split("?")[0]
    )
    feed = Client().get(path)
    assert feed.status_code == 200 and feed["Content-Type"].startswith("text/calendar") and b"BEGIN:VEVENT" in feed.content
    assert path not in desk.get(reverse("oncall")).content.decode()  # shown once
    desk.post(address, {"close": "1"})
    assert Client().get(path).status_code == 404
    assert Client().get(reverse("oncall-ics", args=["x" * 200])).status_code == 404
    assert enter(cast.dispatcher).post(address).status_code == 403


# --- the API -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(cast: Any, places: Any) -> dict[str, str]:
    partner = Partner.objects.create(slug="cad", name="CAD", agency=cast.police, region=places.region)
    return {"X-API-Key": issue_key(partner=partner, name="t", scopes=["alerts:read"], by=None, all_governorates=True)[1]}


def test_a_key_reads_who_is_on_call_without_names_and_changes_nothing(alerting: Any, cast: Any, machine: dict[str, str]) -> None:
    now = Client().get("/api/v1/oncall/now", headers=machine).json()["results"]
    assert now[0]["people"] == [{"id": cast.supervisor.pk, "name": ""}]
    pk = alerting.schedule.pk
    whole = Client().get(f"/api/v1/oncall/schedules/{pk}", headers=machine)
    assert whole.status_code == 200 and "supervisor" not in whole.content.decode()
    assert Client().get(f"/api/v1/oncall/schedules/{pk}/spans", headers=machine).json()[0]["person"]["name"] == ""
    assert Client().post(f"/api/v1/oncall/schedules/{pk}/overrides", {}, headers=machine).status_code == 403


def test_people_read_names_ask_for_windows_and_are_told_when_one_is_too_long(alerting: Any, cast: Any) -> None:
    desk, pk = enter(cast.supervisor), alerting.schedule.pk
    found = desk.get(f"/api/v1/oncall/schedules/{pk}/spans", {"start": NOW.isoformat(), "end": (NOW + DAY).isoformat()}).json()
    assert [one["person"]["name"] for one in found] == ["supervisor"]
    assert desk.get(f"/api/v1/oncall/schedules/{pk}/gaps").json() == []
    assert desk.get(f"/api/v1/oncall/schedules/{pk}/spans", {"end": "2999-01-01T00:00:00Z"}).status_code == 422
    assert desk.get(f"/api/v1/oncall/schedules/{pk}/spans", {"end": "yesterday"}).status_code == 422
    assert enter(cast.firefighter).get(f"/api/v1/oncall/schedules/{pk}").status_code == 404
    assert enter(cast.officer).get("/api/v1/oncall/schedules").json()["results"] == []


def test_schedules_overrides_and_swaps_are_made_over_the_api(alerting: Any, cast: Any) -> None:
    desk = enter(cast.supervisor)
    layer = {"starts_on": "2026-01-01", "handover_at": "07:00", "people": [cast.supervisor.pk, cast.dispatcher.pk], "rotation": "daily"}
    body = {"code": "desk", "name_en": "Desk", "name_ar": "مكتب", "agency": "police", "governorate": "T-HA", "layers": [layer]}
    made = send(desk, "schedules", body)
    assert made.status_code == 201 and made.json()["layers"][0]["people"] == layer["people"]
    pk, change = made.json()["id"], {"version": made.json()["version"], "layers": [{**layer, "people": [cast.supervisor.pk]}]}
    assert send(desk, f"schedules/{pk}", change, "patch").status_code == 200
    assert send(desk, f"schedules/{pk}", change, "patch").status_code == 409
    times = {"starts_at": (NOW + HOUR).isoformat(), "ends_at": (NOW + 2 * HOUR).isoformat()}
    swap = send(desk, f"schedules/{pk}/swaps", times)
    assert swap.status_code == 201
    assert send(desk, f"swaps/{swap.json()['id']}/withdraw").json()["state"] == "withdrawn"
    override = send(desk, f"schedules/{pk}/overrides", {**times, "person": cast.dispatcher.pk})
    assert override.status_code == 201
    assert send(desk, f"overrides/{override.json()['id']}/cancel").json()["is_cancelled"] is True
    for refused in ({**layer, "people": []}, {**layer, "every": 0}, {**layer, "people": [cast.firefighter.pk]}):
        assert send(desk, "schedules", {**body, "code": "x", "layers": [refused]}).status_code in {404, 422}
    assert OnCallSchedule.objects.count() == 2


# --- the command centre ------------------------------------------------------------------------------------------------------------------


def layer_fields(number: int, people: str, pk: Any = "", schedule: Any = "") -> dict[str, Any]:
    told = {"id": pk, "schedule": schedule, "rotation": "weekly", "every": 1, "starts_on": "2026-01-01", "handover_at": "07:00"}
    return {f"layers-{number}-{name}": value for name, value in {**told, "people": people}.items()}


def formset(total: int, initial: int) -> dict[str, Any]:
    return {f"layers-{name}_FORMS": n for name, n in (("TOTAL", total), ("INITIAL", initial), ("MIN_NUM", 0), ("MAX_NUM", 10))}


def test_a_schedule_with_its_people_is_made_and_changed_in_the_command_centre(alerting: Any, cast: Any, places: Any) -> None:
    desk = enter(cast.supervisor)
    named = {"name_en": "Centre", "name_ar": "المركز", "governorate": places.hawalli.pk, "time_zone": "Asia/Kuwait", "is_active": "on"}
    new = {**named, "code": "centre", "agency": cast.police.pk, **formset(1, 0), **layer_fields(0, "supervisor, dispatcher")}
    answer = desk.post(reverse("admin:alerts_oncallschedule_add"), new)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    made = OnCallSchedule.objects.get(code="centre")
    layer = made.layers.get()
    assert [member.user.username for member in layer.members.all()] == ["supervisor", "dispatcher"]
    change = reverse("admin:alerts_oncallschedule_change", args=[made.pk])

    def changed(people: str) -> Any:
        return desk.post(change, {**named, **formset(1, 1), **layer_fields(0, people, layer.pk, made.pk)})

    for people, said in (("nobody-at-all", "There is no such user: nobody-at-all."), ("firefighter", "There is no such person here.")):
        refused = changed(people)
        assert refused.status_code == 200 and said in refused.content.decode()
    assert changed("dispatcher").status_code == 302
    assert list(LayerMember.objects.filter(layer__schedule=made).values_list("user__username", flat=True)) == ["dispatcher"]
