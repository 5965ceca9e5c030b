"""INT-7: the registry of external systems: by address, by port or by ear; down and up said once; nothing private called."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.test import Client
from django.utils import timezone

from core.errors import Invalid
from core.models import Event
from interop.models import ExternalSystem, Feed, Partner, SystemProbe
from interop.sender.probing import keep_looking, probe_due_systems
from interop.services import issue_key
from interop.services.systems import check_system, claim_due, forget_old_probes, trends

pytestmark = pytest.mark.django_db


class Neighbour:
    """A system on this machine that answers as it is told: ok, fails, hangs, redirects."""

    def __init__(self):
        self.mood, self.released = "ok", threading.Event()
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                if outer.mood == "hangs":
                    outer.released.wait(30)
                    return
                status = {"ok": 200, "fails": 503, "redirects": 302}[outer.mood]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def neighbour(settings):
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    it = Neighbour()
    yield it
    it.close()


@pytest.fixture
def system(cast, neighbour):
    return ExternalSystem.objects.create(
        name="Fire CAD", agency=cast.police, health_url=f"http://127.0.0.1:{neighbour.port}/health", timeout_s=1, failures_to_down=2
    )


def look(system):
    ExternalSystem.objects.filter(pk=system.pk).update(next_probe_at=None)
    assert probe_due_systems() == 1
    system.refresh_from_db()
    return system.probes.first()


def said():
    return list(Event.objects.filter(type__startswith="system.").order_by("id").values_list("type", flat=True))


def test_a_system_that_fails_hangs_redirects_and_comes_back(system, neighbour):
    probe = look(system)
    assert probe.is_ok and probe.code == 200 and probe.ms > 0 and system.state == "up" and said() == []
    neighbour.mood = "fails"
    assert (look(system).error, system.probes.first().code, system.state) == ("http", 503, "up"), "one failure is not yet down"
    neighbour.mood = "redirects"
    probe = look(system)
    assert (probe.error, probe.code, system.state, said()) == ("redirect", 302, "down", ["system.down"])
    assert "/elsewhere" not in neighbour.asked, "a redirect is not followed"
    neighbour.mood = "hangs"
    assert (look(system).error, system.failures, said()) == ("timeout", 3, ["system.down"]), "said once"
    neighbour.mood = "ok"
    assert look(system).is_ok and (system.state, system.failures, system.last_error) == ("up", 0, "")
    assert said() == ["system.down", "system.up"]
    event = Event.objects.get(type="system.down")
    assert event.agency_id == system.agency_id and event.data["system"] == "Fire CAD" and event.data["code"] == 302


def test_one_that_hangs_holds_up_no_other(system, neighbour, cast):
    closed = Neighbour()
    closed.close()
    others = [
        ExternalSystem.objects.create(name="Port", agency=cast.fire, probe="tcp", host="127.0.0.1", port=neighbour.port),
        ExternalSystem.objects.create(name="Shut", agency=cast.fire, probe="tcp", host="127.0.0.1", port=closed.port),
    ]
    neighbour.mood = "hangs"
    assert probe_due_systems() == 3
    found = {probe.system.name: probe.error for probe in SystemProbe.objects.select_related("system")}
    assert found == {"Fire CAD": "timeout", "Port": "", "Shut": "connect"}
    assert probe_due_systems() == 0, "each comes again when its time has passed"
    assert len(others) == 2


def test_nothing_private_is_called_that_is_not_allowed(system, neighbour, settings, cast):
    settings.WEBHOOK_ALLOW = []
    assert look(system).error == "ssrf" and neighbour.asked == [], "also what was saved while it was allowed"
    for given in (
        {"probe": "http", "health_url": "http://169.254.169.254/latest/meta-data"},
        {"probe": "http", "health_url": "https://10.0.0.7/health"},
        {"probe": "http", "health_url": "file:///etc/passwd"},
        {"probe": "tcp", "host": "127.0.0.1", "port": 5432},
        {"probe": "tcp", "host": "2130706433", "port": 22},
    ):
        with pytest.raises(Invalid):
            check_system(ExternalSystem(name="x", agency=cast.police, **given))


def test_a_name_that_leads_inside_is_refused_when_it_is_called(system):
    ExternalSystem.objects.filter(pk=system.pk).update(health_url="https://cad.example/health", next_probe_at=None)
    assert probe_due_systems(resolve=lambda host, port: ["10.1.2.3"]) == 1
    assert system.probes.first().error == "ssrf"


def test_a_system_is_heard_by_its_keys_and_feeds(cast, places, police_112):
    partner = Partner.objects.create(slug="cad", name="CAD", agency=cast.police, region=places.region)
    system = ExternalSystem.objects.create(
        name="By ear", agency=cast.police, probe="heard", partner=partner, heard_within_min=10, failures_to_down=1
    )
    assert look(system).error == "silent" and system.state == "down"
    key, _secret = issue_key(partner=partner, name="k", scopes=["incidents:read"], by=None, all_governorates=True)
    type(key).objects.filter(pk=key.pk).update(last_used_at=timezone.now() - timedelta(minutes=3))
    assert look(system).is_ok and said() == ["system.down", "system.up"]
    type(key).objects.filter(pk=key.pk).update(last_used_at=timezone.now() - timedelta(minutes=30))
    assert look(system).error == "silent"
    Feed.objects.create(partner=partner, kind="moi-incident", source=police_112, last_heard_at=timezone.now())
    assert look(system).is_ok


def test_the_trend_tells_the_last_day_beside_the_week_before(system):
    now = timezone.now()
    for ago, ms in ((timedelta(hours=1), 100), (timedelta(hours=2), 300), (timedelta(days=3), 50)):
        SystemProbe.objects.create(system=system, at=now - ago, is_ok=True, ms=ms, code=200)
    SystemProbe.objects.create(system=system, at=now - timedelta(hours=3), is_ok=False, ms=1_000, error="timeout")
    SystemProbe.objects.create(system=system, at=now - timedelta(days=40), is_ok=False, ms=1_000, error="timeout")
    trend = trends([system.pk])[system.pk]
    assert (trend.looks, trend.median_ms) == (3, 200) and trend.answered_share == pytest.approx(2 / 3)
    assert (trend.earlier_share, trend.earlier_ms) == (1.0, 50)
    assert forget_old_probes() == 1


def test_a_system_is_claimed_once_and_not_while_it_is_out_of_use(system):
    assert [one.pk for one in claim_due()] == [system.pk] and claim_due() == []
    assert claim_due(now=timezone.now() + timedelta(seconds=61))
    ExternalSystem.objects.update(is_active=False, next_probe_at=None)
    assert claim_due() == []


def test_the_registry_is_read_by_those_of_its_agency(system, cast):
    def client(user):
        it = Client()
        it.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return it

    look(system)
    (row,) = client(cast.supervisor).get("/api/v1/systems").json()["results"]
    assert (row["name"], row["state"], row["answered_share"]) == ("Fire CAD", "up", 1.0)
    assert len(client(cast.supervisor).get(f"/api/v1/systems/{system.pk}/probes").json()["results"]) == 1
    for outsider in (cast.firefighter, cast.officer):
        assert client(outsider).get(f"/api/v1/systems/{system.pk}").status_code == 404


def test_an_address_that_is_not_allowed_is_refused_in_the_command_centre(cast):
    client = Client()
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    form = {
        "name": "Meta", "agency": cast.police.pk, "kind": "other", "probe": "http", "health_url": "http://169.254.169.254/", "every_s": 60,
        "timeout_s": 10, "failures_to_down": 2, "heard_within_min": 30, "is_active": "on",
    }  # fmt: skip
    answer = client.post("/admin/interop/externalsystem/add/", form)
    assert answer.status_code == 200 and not ExternalSystem.objects.exists()
    answer = client.post("/admin/interop/externalsystem/add/", {**form, "health_url": "https://status.example.org/health"})
    assert answer.status_code == 302 and ExternalSystem.objects.get().name == "Meta"


@pytest.mark.django_db(transaction=True)
def test_looks_go_on_by_themselves_until_they_are_told_to_stop(system):
    stop = threading.Event()
    looks = threading.Thread(target=keep_looking, args=[stop], kwargs={"every_s": 0.05})
    looks.start()
    try:
        for _n in range(400):
            if system.probes.exists():
                break
            time.sleep(0.05)
    finally:
        stop.set()
        looks.join(20)
    assert not looks.is_alive()
    assert system.probes.count() == 1, "its turn comes again after its time, not at every round"
