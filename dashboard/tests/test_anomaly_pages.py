"""IOT-5: the queue of anomalies and the page of one: whose, in what order, with the curve, and what people do there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from core.events import publish
from core.live.pushes import Push, Room
from core.models import Event
from dashboard.anomaly_queue import evidence_of
from dashboard.live import IncidentPresenter
from iot.models import Anomaly, Datastream
from tests.live_server import PATIENCE_MS

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(sensors: Any) -> dict[str, Anomaly]:
    """Half an hour of Salmiya's temperatures, the last five beyond 50 °C; and a severe one in Sharq."""
    rows = [("temperature", 30.0 + n / 10 if n >= 5 else 55.0 + n, sensors.ago(minutes=n)) for n in range(30)]
    sensors.write([sensors.said(*rows), sensors.said(("humidity", 20.0, sensors.now), device=sensors.sharq)])

    def one(device: Any, metric: str, **given: Any) -> Anomaly:
        stream = Datastream.objects.get(device=device, metric__code=metric)
        details = {
            "detector": "threshold",
            "severity": 2,
            "began_at": sensors.ago(minutes=4),
            "raised_at": sensors.now,
            "last_at": sensors.now,
        }
        evidence = {"value": 59.0, "limit": 50.0, "until": 45.0, "side": "high", "unit": "°C"}
        return Anomaly.objects.create(device=device, datastream=stream, **{**details, "score": 2.0, "evidence": evidence, **given})

    over = {"state": "resolved", "because": "readings", "ended_at": sensors.now}
    return {
        "hot": one(sensors.salmiya, "temperature"),
        "spike": one(
            sensors.salmiya, "temperature", detector="robust", severity=4, evidence={"value": 59, "expected": 30, "low": 25, "high": 35}
        ),
        "over": one(sensors.salmiya, "temperature", detector="rate", **over),
        "sharq": one(sensors.sharq, "humidity", severity=3),
    }


def rows_in(client: Any, person: Any, query: str = "") -> list[Anomaly]:
    client.force_login(person)
    return [row.anomaly for row in client.get(f"{reverse('anomalies')}?{query}").context["queue"].rows]


def test_the_worst_first_and_ones_own_alone(client, found, cast):
    assert rows_in(client, cast.supervisor) == [found["spike"], found["hot"]]
    assert rows_in(client, cast.superadmin) == [found["spike"], found["sharq"], found["hot"]]
    assert rows_in(client, cast.firefighter) == []
    client.force_login(cast.officer)
    assert client.get(reverse("anomalies")).status_code == 403
    client.force_login(cast.supervisor)
    assert client.get(reverse("anomalies-one", args=[found["sharq"].pk])).status_code == 404


def test_it_is_narrowed_and_nonsense_is_as_if_it_had_not_been_said(client, found, cast):
    root = cast.superadmin
    assert rows_in(client, root, "state=resolved") == [found["over"]]
    assert rows_in(client, root, "least=4") == [found["spike"]] and rows_in(client, root, "detector=robust") == [found["spike"]]
    assert rows_in(client, root, f"governorate={found['sharq'].device.governorate_id}") == [found["sharq"]]
    assert len(rows_in(client, root, "state=x&least=ninety&detector=%00&governorate=abc&page=0")) == 3


def test_the_page_says_why_and_draws_it(client, found, cast, sensors):
    client.force_login(cast.dispatcher)
    page = client.get(reverse("anomalies-one", args=[found["hot"].pk])).content.decode()
    assert "59 °C: its upper limit is 50 °C." in page and 'class="limit"' in page and 'class="bad"' in page
    drawn = evidence_of(found["hot"], now=sensors.now)
    assert drawn is not None and drawn.limit_y is not None and drawn.curve.top <= drawn.limit_y <= drawn.curve.bottom
    assert [is_bad for _at, _value, is_bad in drawn.table[:7]] == [True] * 5 + [False] * 2
    band = evidence_of(found["spike"], now=sensors.now)
    assert band is not None and band.band_y is not None and band.band_high > 0
    old = Anomaly(**{**vars_of(found["hot"]), "began_at": sensors.ago(days=9), "last_at": sensors.ago(days=8)})
    assert evidence_of(old, now=sensors.now) is None


def vars_of(anomaly: Anomaly) -> dict[str, Any]:
    return {field.attname: getattr(anomaly, field.attname) for field in Anomaly._meta.concrete_fields}


def test_people_answer_on_it(client, found, cast):
    hot = found["hot"]
    client.force_login(cast.dispatcher)
    client.post(reverse("anomalies-act", args=[hot.pk, "acknowledge"]), {"next": reverse("anomalies")})
    client.post(reverse("anomalies-act", args=[hot.pk, "judge"]), {"verdict": "noise", "note": "sun"})
    answer = client.post(reverse("anomalies-act", args=[hot.pk, "resolve"]), {"note": "shaded", "next": "https://elsewhere.example/"})
    assert answer.url == reverse("anomalies-one", args=[hot.pk])
    hot.refresh_from_db()
    assert (hot.state, hot.feedback, hot.resolved_note, hot.acknowledged_by) == ("resolved", "noise", "shaded", cast.dispatcher)
    page = client.get(reverse("anomalies-one", args=[hot.pk])).content.decode()
    assert "Of the one judged lately" in page and "shaded" in page
    again = client.post(reverse("anomalies-act", args=[hot.pk, "resolve"]), follow=True)
    assert "over already" in again.content.decode()
    assert client.get(reverse("anomalies-act", args=[hot.pk, "resolve"])).status_code == 405
    client.force_login(cast.auditor)
    assert "not allow" in client.post(reverse("anomalies-act", args=[found["spike"].pk, "acknowledge"]), follow=True).content.decode()


def test_the_queue_costs_few_statements(client, found, cast, django_assert_max_num_queries):
    client.force_login(cast.superadmin)
    client.get(reverse("anomalies"))
    with django_assert_max_num_queries(14):
        client.get(reverse("anomalies"))


def test_what_the_page_asks_for_again_leads_back_to_the_page_and_is_ones_own(client, found, cast):
    client.force_login(cast.supervisor)
    answer = client.get(reverse("anomalies-rows") + "?least=2")
    text = answer.content.decode()
    assert answer["Cache-Control"] == "no-store" and "data-live-head" in text and "anomaly-counts" in text
    assert f'id="anomaly-{found["hot"].pk}"' in text and f'id="anomaly-{found["sharq"].pk}"' not in text
    assert 'name="next" value="/anomalies/?least=2"' in text
    client.force_login(cast.officer)
    assert client.get(reverse("anomalies-rows")).status_code == 403


def test_the_queue_hears_of_anomalies_of_ones_own_and_of_nothing_else(found, cast):
    presenter = IncidentPresenter()
    assert presenter.room(cast.officer, "anomalies") is None and presenter.room(cast.supervisor, "anomalies:1") is None
    room = presenter.room(cast.supervisor, "anomalies")
    assert room is not None
    events = [publish("anomaly.raised", subject=found[name], data={}, agency_id=found[name].device.agency_id) for name in ("hot", "sharq")]
    shown = presenter.show(list(Event.objects.filter(type="anomaly.raised").order_by("id")), ["en", "ar"])
    assert len(events) == 2 and len(shown) == 2
    opening = '"type":"anomaly.raised"'
    mine, other = (Push(1, "anomaly.raised", opening, ("anomaly", one.subject_id), one) for one in shown if one is not None)
    assert mine.admitted(cast.supervisor.jurisdiction, room) and not other.admitted(cast.supervisor.jurisdiction, room)
    assert not mine.admitted(cast.supervisor.jurisdiction, Room()), "the board is not told of anomalies"
    assert json.loads(mine.frame(prev=0, language="ar"))["anomaly"] == {"kind": "anomaly", "id": found["hot"].pk}


@pytest.mark.browser
def test_a_new_anomaly_comes_by_itself_and_waits_while_a_hand_is_on_the_list(live_site, page, sign_in, cast, found):
    sign_in(page, cast.supervisor)
    page.goto(reverse("anomalies"))
    page.wait_for_function("() => document.documentElement.dataset.feed === 'live'", timeout=PATIENCE_MS)
    page.focus(f"#anomaly-{found['hot'].pk} a")
    new = Anomaly.objects.create(
        device=found["hot"].device, datastream=found["hot"].datastream, detector="stuck", severity=3, began_at=found["hot"].began_at,
        raised_at=found["hot"].raised_at, last_at=found["hot"].last_at, score=2.0, evidence={},
    )  # fmt: skip
    publish("anomaly.raised", subject=new, data={}, agency_id=new.device.agency_id, governorate_id=new.device.governorate_id)
    page.wait_for_selector("#anomaly-new:not([hidden])", timeout=PATIENCE_MS)
    assert page.query_selector(f"#anomaly-{new.pk}") is None
    page.evaluate("document.activeElement.blur()")
    page.wait_for_selector(f"#anomaly-{new.pk}", timeout=PATIENCE_MS)
