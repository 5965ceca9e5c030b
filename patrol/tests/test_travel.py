"""PAT-4: where travel times come from: a road extract read, closures, a routing server that fails in every way, and straight lines."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from django.contrib.gis.geos import Point
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event
from patrol.models import RoadClosure, RoadNetwork
from patrol.services.travel import (
    RoadProvider,
    ServerProvider,
    StraightProvider,
    close_road,
    closures_between,
    import_roads,
    provider_for,
    provider_name,
    reopen_road,
    travel_note,
)
from patrol.services.travel.osm import direction, is_barred, limit_kmh, speed_kmh

pytestmark = pytest.mark.django_db

STEP = 0.002
WEST, SOUTH = 47.91, 29.33  # Salmiya
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def at(column, row):
    return WEST + column * STEP, SOUTH + row * STEP


def an_extract(path, size=4, **more):
    """A grid of residential streets; its first row is a one-way street, its last is private."""
    import osmium
    from osmium.osm import mutable

    with osmium.SimpleWriter(str(path)) as out:
        for row in range(size):
            for column in range(size):
                out.add_node(mutable.Node(id=1 + column + 100 * row, location=at(column, row)))
        out.add_node(mutable.Node(id=9001, location=(2.35, 48.85)))
        out.add_node(mutable.Node(id=9002, location=(2.36, 48.85)))
        for row in range(size):
            tags = {"highway": "residential"}
            if row == 0:
                tags |= {"oneway": "yes", "maxspeed": "40 mph"} | more
            if row == size - 1:
                tags["access"] = "private"
            out.add_way(mutable.Way(id=1 + row, nodes=[1 + column + 100 * row for column in range(size)], tags=tags))
        for column in range(size):
            out.add_way(
                mutable.Way(id=101 + column, nodes=[1 + column + 100 * row for row in range(size)], tags={"highway": "residential"})
            )
        out.add_way(mutable.Way(id=201, nodes=[1, 102], tags={"highway": "footway"}))
        out.add_way(mutable.Way(id=202, nodes=[9001, 9002], tags={"highway": "primary"}))
        out.add_way(mutable.Way(id=203, nodes=[3, 777_777], tags={"highway": "residential"}))
    return path


@pytest.fixture
def extract(tmp_path):
    return an_extract(tmp_path / "town.osm.pbf")


class TestImport:
    def test_a_file_becomes_the_region_s_network_and_the_same_file_again_changes_nothing(self, extract, places):
        done = import_roads(path=extract)
        assert done.is_new and done.nodes == 16 and done.facts["ways"] == 7
        assert {name: done.facts[name] for name in ("not_for_cars", "barred", "outside", "cut_off")} == {
            "not_for_cars": 1,
            "barred": 1,
            "outside": 1,
            "cut_off": 1,
        }
        again = import_roads(path=extract)
        assert not again.is_new and again.network == done.network and again.facts == done.facts
        assert RoadNetwork.objects.count() == 1
        assert Event.objects.get(type="roads.imported").data["edges"] == done.edges

    def test_by_the_command_in_words_and_as_json(self, extract, places):
        out = StringIO()
        call_command("import_roads", str(extract), stdout=out, stderr=StringIO())
        assert "16 junctions" in out.getvalue() and "1 closed or private" in out.getvalue()
        out = StringIO()
        call_command("import_roads", str(extract), "--json", "--region", "kw", stdout=out)
        assert json.loads(out.getvalue())["is_new"] is False

    def test_a_newer_file_is_the_one_in_use(self, extract, tmp_path, places):
        first = provider_matrix(extract, places)
        slower = an_extract(tmp_path / "slower.osm.pbf", maxspeed="20")
        second = provider_matrix(slower, places)
        assert second.seconds[0, 1] > 2 * first.seconds[0, 1] and RoadNetwork.objects.count() == 2

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("empty.osm.pbf", b"", "is empty"),
            ("bad.osm.pbf", b"\x00\x00\x00\x0dnot an extract at all" * 20, "cannot be read"),
            ("text.osm.pbf", b"<html>404</html>", "cannot be read"),
            ("none.osm", b"<osm version='0.6'></osm>", "no roads for cars"),
        ],
    )
    def test_a_file_that_is_no_use_is_refused_plainly(self, tmp_path, places, name, content, said):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(Invalid, match=said):
            import_roads(path=path)
        assert not RoadNetwork.objects.exists()

    def test_a_cut_off_file_a_missing_one_and_one_too_large(self, extract, tmp_path, places, settings):
        cut = tmp_path / "cut.osm.pbf"
        cut.write_bytes(extract.read_bytes()[:-40])
        with pytest.raises(Invalid, match="cannot be read"):
            import_roads(path=cut)
        with pytest.raises(CommandError, match="There is no file"):
            call_command("import_roads", str(tmp_path / "gone.osm.pbf"))
        with pytest.raises(CommandError, match="There is no region"):
            call_command("import_roads", str(extract), "--region", "nowhere")
        settings.ROADS_MAX_MB = 0
        with pytest.raises(Invalid, match="osmium extract"):
            import_roads(path=extract)

    def test_tags_are_understood(self):
        assert [limit_kmh(said) for said in ("60", "60 km/h", "KW:urban", "80;60", "walk", "0", "signals", "", "fast")] == [
            60,
            60,
            50,
            60,
            7,
            None,
            None,
            None,
            None,
        ]
        assert limit_kmh("40 mph") == pytest.approx(64.4, abs=0.1)
        assert speed_kmh({"maxspeed": "80"}, 30) == 60 and speed_kmh({}, 30) == 30
        kinds = [
            ({"oneway": "yes"}, 1),
            ({"oneway": "-1"}, -1),
            ({"oneway": "no", "junction": "roundabout"}, 0),
            ({"junction": "roundabout"}, 1),
            ({}, 0),
        ]
        assert [direction({"highway": "residential"} | tags) for tags, _ in kinds] == [found for _, found in kinds]
        assert direction({"highway": "motorway"}) == 1
        assert is_barred({"highway": "service", "access": "private"}) and is_barred({"highway": "service", "motor_vehicle": "no"})
        assert not is_barred({"highway": "service", "access": "no", "motorcar": "yes"})


def provider_matrix(extract, places):
    import_roads(path=extract)
    return provider_for(places.region).matrix([at(0, 0), at(3, 0)])


class TestRoads:
    def test_the_region_s_newest_network_is_used_one_way(self, extract, places):
        found = provider_matrix(extract, places)
        assert found.name == "roads" and found.note == ""
        assert found.metres[1, 0] == pytest.approx(found.metres[0, 1] + 2 * STEP * 111_195, rel=0.01)
        assert found.details["network"] == RoadNetwork.objects.get().pk

    def test_closures_count_while_they_last(self, extract, places, cast):
        import_roads(path=extract)
        provider = provider_for(places.region)
        close_road(
            region=places.region,
            name="Works",
            centre=Point(*at(1.5, 0)),
            radius_m=30,
            starts_at=NOW,
            ends_at=NOW + timedelta(hours=2),
            by=cast.supervisor,
            governorate=places.hawalli,
        )
        pair = [at(0, 0), at(3, 0)]
        before = provider.matrix(pair, at=NOW - timedelta(hours=1))
        during = provider.matrix(pair, at=NOW + timedelta(hours=1))
        after = provider.matrix(pair, at=NOW + timedelta(hours=3))
        whole_shift = provider.matrix(pair, at=NOW - timedelta(hours=4), until=NOW + timedelta(hours=4))
        assert before.metres[0, 1] == after.metres[0, 1] < during.metres[0, 1] == whole_shift.metres[0, 1]
        assert during.details["closures"] == 1 and "1 closure" in travel_note(during)
        assert len(provider.path(pair, at=NOW + timedelta(hours=1))) > len(provider.path(pair, at=NOW)) - 1

    def test_far_from_every_road_the_straight_line_answers_and_says_so(self, extract, places):
        import_roads(path=extract)
        found = provider_for(places.region).matrix([(47.5, 29.0), (47.6, 29.0)])
        assert (found.name, found.fell_back_from, found.why) == ("straight", "roads", "off_road")
        assert "most of the places lie far from its roads" in travel_note(found)
        some = provider_for(places.region).matrix([at(0, 0), at(3, 0), (47.6, 29.0)])
        assert some.name == "roads" and np.isinf(some.seconds[0, 2]) and "1 place lies on no road" in travel_note(some)


class TestStraight:
    def test_without_roads_or_server_it_is_the_straight_line(self, places):
        found = provider_for(places.region).matrix([(47.9, 29.3), (47.9, 29.4)])
        assert found.name == "straight" and found.metres[0, 1] == pytest.approx(1.4 * 11_085, rel=0.01)
        assert found.seconds[0, 1] == pytest.approx(found.metres[0, 1] / (35 / 3.6))
        assert found.between((47.9, 29.3), (47.9, 29.4))[1] == found.metres[0, 1]
        assert "× 1.4 at 35 km/h" in travel_note(found)
        assert provider_for(places.region).path([(47.9, 29.3), (47.9, 29.4)]) == [(47.9, 29.3), (47.9, 29.4)]

    def test_the_note_is_told_in_the_reader_s_language(self, places):
        found = StraightProvider(32638).matrix([(47.9, 29.3), (47.9, 29.4)])
        with translation.override("ar"):
            assert "1.4" in travel_note(found)

    @pytest.mark.parametrize("points", [[(200.0, 29.3)], [(47.9, 95.0)], [(float("nan"), 29.3)], [1, 2, 3]])
    def test_places_that_are_none_are_refused(self, places, points):
        with pytest.raises(Invalid):
            provider_for(places.region).matrix(points)

    def test_no_places_at_all(self, places):
        assert provider_for(places.region).matrix([]).seconds.shape == (0, 0)


class TestClosures:
    def close(self, cast, places, **more):
        facts = {
            "region": places.region,
            "name": "Works",
            "centre": Point(*at(1, 1)),
            "radius_m": 50,
            "starts_at": NOW,
            "ends_at": NOW + timedelta(hours=2),
            "by": cast.supervisor,
            "governorate": places.hawalli,
        }
        return close_road(**(facts | more))

    def test_each_closes_roads_in_their_own_governorate(self, cast, places):
        assert self.close(cast, places).created_by == cast.supervisor
        assert Event.objects.filter(type="road.closed").count() == 1
        with pytest.raises(NotFound):
            self.close(cast, places, governorate=places.capital)
        with pytest.raises(NotAllowed):
            self.close(cast, places, governorate=None)
        with pytest.raises(NotAllowed):
            self.close(cast, places, by=cast.officer)
        assert self.close(cast, places, governorate=None, by=None)

    @pytest.mark.parametrize("wrong", [{"name": " "}, {"ends_at": NOW}, {"radius_m": 0}, {"radius_m": 90_000}])
    def test_nonsense_is_refused(self, cast, places, wrong):
        with pytest.raises(Invalid):
            self.close(cast, places, **wrong)

    def test_opened_again_before_its_time(self, cast, places):
        running, coming = self.close(cast, places), self.close(cast, places, starts_at=NOW + timedelta(hours=1))
        now = NOW + timedelta(minutes=30)
        reopen_road(closure=running, by=cast.supervisor, at=now)
        reopen_road(closure=coming, by=cast.supervisor, at=now)
        assert closures_between(places.region, now) == [] and RoadClosure.objects.count() == 1
        assert len(closures_between(places.region, NOW)) == 1
        with pytest.raises(Conflict):
            reopen_road(closure=running, by=cast.supervisor, at=now)
        with pytest.raises(NotAllowed):
            reopen_road(closure=running, by=cast.officer, at=NOW)

    def test_in_the_command_centre(self, cast, places):
        client = Client()
        client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
        facts = {
            "name": "Gulf Road",
            "region": places.region.pk,
            "governorate": places.hawalli.pk,
            "radius_m": 60,
            "starts_at_0": "2026-11-21",
            "starts_at_1": "08:00",
            "ends_at_0": "2099-11-21",
            "ends_at_1": "18:00",
        }
        page = client.get(reverse("admin:patrol_roadclosure_add"))
        assert page.status_code == 200
        facts |= dict(zip(sorted(_inputs(str(page.context["adminform"].form["centre"]))), ("29.33", "47.91"), strict=False))
        answer = client.post(reverse("admin:patrol_roadclosure_add"), facts)
        assert answer.status_code == 302, answer.context["adminform"].form.errors
        closure = RoadClosure.objects.get()
        assert closure.created_by == cast.supervisor
        assert client.get(reverse("admin:patrol_roadclosure_changelist")).status_code == 200
        chosen = {"action": "open_again", "_selected_action": [closure.pk], "apply": "1"}
        assert client.post(reverse("admin:patrol_roadclosure_changelist"), chosen).status_code == 302
        closure.refresh_from_db()
        assert closure.ends_at <= datetime.now(UTC) + timedelta(seconds=5)


def _inputs(html):
    return re.findall(r'name="([^"]+)"', html)


# -- a routing server -------------------------------------------------------------------------------------------------------------------


class Router:
    """A small server that speaks OSRM and Valhalla: ten metres a second along a ruler. ``mode`` says how it misbehaves."""

    def __init__(self):
        self.mode = ""
        self.asked: list[str] = []
        router = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                router.answer(self)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        self.asked.append(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if self.mode == "slow":
            time.sleep(1.5)
        if self.mode == "redirect":
            handler.send_response(302)
            handler.send_header("Location", f"{self.url}/elsewhere")
            handler.end_headers()
            return
        if self.mode == "refuse":
            handler.send_response(400)
            handler.end_headers()
            return
        content = {"": None, "no_json": b"<html>", "huge": b'"' + b"x" * 300_000 + b'"', "wrong": b'{"durations": [[1]]}'}.get(self.mode)
        content = content or json.dumps(self.table(handler.path, body)).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(content)

    def table(self, path, body):
        if path.startswith("/sources_to_targets"):
            asked = json.loads(body)
            sources, targets = ([(one["lon"], one["lat"]) for one in asked[side]] for side in ("sources", "targets"))
            rows = [[{"time": round(_ruler(a, b) / 10, 1), "distance": _ruler(a, b) / 1000} for b in targets] for a in sources]
            return {"sources_to_targets": rows}
        parts = urlsplit(path)
        points = [(float(lon), float(lat)) for lon, lat in (pair.split(",") for pair in parts.path.rpartition("/")[2].split(";"))]
        if path.startswith("/route/"):
            middle = [(points[0][0] + points[-1][0]) / 2, points[0][1]]
            return {"code": "Ok", "routes": [{"geometry": {"coordinates": [list(points[0]), middle, list(points[-1])]}}]}
        asked = parse_qs(parts.query)
        sources, targets = ([points[int(n)] for n in asked[side][0].split(";")] for side in ("sources", "destinations"))
        durations = [[_ruler(a, b) / 10 for b in targets] for a in sources]
        if self.mode == "cut off":
            durations[0][-1] = None
        return {"code": "Ok", "durations": durations, "distances": [[_ruler(a, b) for b in targets] for a in sources]}


def _ruler(a, b):
    return round((abs(a[0] - b[0]) + abs(a[1] - b[1])) * 100_000, 3)


@pytest.fixture
def router():
    made = Router()
    yield made
    made.server.shutdown()
    made.server.server_close()


PAIR = [(47.9, 29.3), (47.95, 29.32)]


class TestServer:
    @pytest.mark.parametrize("kind", ["osrm", "valhalla"])
    def test_it_answers_in_blocks(self, router, kind):
        points = [(47.9 + number / 1000, 29.3) for number in range(7)]
        found = ServerProvider(router.url, kind, instead=StraightProvider(32638), block=3).matrix(points)
        assert found.name == "server" and found.note == ""
        assert found.metres == pytest.approx(np.abs(np.subtract.outer(np.arange(7), np.arange(7))) * 100.0, abs=0.5)
        assert found.seconds == pytest.approx(found.metres / 10, abs=0.1)
        assert len(router.asked) == 9

    def test_by_the_settings(self, router, places, settings):
        settings.ROUTING_URL = router.url
        assert provider_for(places.region).matrix(PAIR).name == "server"
        settings.ROUTING_URL = "file:///etc/passwd"
        with pytest.raises(ImproperlyConfigured):
            provider_for(places.region)

    def test_no_way_is_no_way(self, router):
        router.mode = "cut off"
        assert np.isinf(ServerProvider(router.url, instead=StraightProvider(32638)).matrix(PAIR).seconds[0, 1])

    @pytest.mark.parametrize(
        ("mode", "why", "said"),
        [
            ("slow", "timed_out", "did not answer in time"),
            ("redirect", "refused", "refused"),
            ("refuse", "refused", "refused"),
            ("no_json", "bad_answer", "could not be read"),
            ("wrong", "bad_answer", "could not be read"),
            ("huge", "too_large", "too large"),
        ],
    )
    def test_when_it_fails_the_straight_line_answers_and_says_so(self, router, mode, why, said):
        router.mode = mode
        found = ServerProvider(router.url, instead=StraightProvider(32638), time_limit_s=0.5, most_bytes=100_000).matrix(PAIR)
        assert (found.name, found.fell_back_from, found.why) == ("straight", "server", why)
        assert found.note == f"server:{why}" and said in travel_note(found)
        assert provider_name(found.name) in travel_note(found)
        assert "/elsewhere" not in router.asked

    def test_nobody_there(self):
        found = ServerProvider("http://127.0.0.1:9", instead=StraightProvider(32638)).matrix(PAIR)
        assert (found.name, found.why) == ("straight", "unreachable")

    def test_it_falls_back_on_the_roads_where_there_are_some(self, extract, places, settings, router):
        import_roads(path=extract)
        settings.ROUTING_URL, router.mode = router.url, "refuse"
        found = provider_for(places.region).matrix([at(0, 0), at(3, 0)])
        assert found.name == "roads" and found.note == "server:refused"
        own = provider_for(places.region)
        assert isinstance(own, ServerProvider) and isinstance(own.instead, RoadProvider)

    def test_a_line_to_be_drawn(self, router):
        provider = ServerProvider(router.url, instead=StraightProvider(32638))
        assert len(provider.path(PAIR)) == 3
        router.mode = "no_json"
        assert provider.path(PAIR) == PAIR
