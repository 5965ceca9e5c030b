"""ANA-11: a run in the command centre: how far it is, and the button that stops it, for those whose role allows it."""

from __future__ import annotations

import pytest
from django.test import Client

from incidents.models import PipelineRun
from incidents.services import pipeline
from incidents.services.pipeline.lease import Lease
from incidents.services.pipeline.planning import plan_run


@pytest.fixture
def going_on(places):
    run = pipeline.create_run(trigger="manual", regions=["kw"])
    plan_run(run)
    Lease.claim(run)
    return run


@pytest.fixture
def inside(cast):
    def enter(who):
        client = Client()
        client.force_login(getattr(cast, who))
        return client

    return enter


def address(run, what="change"):
    return f"/admin/incidents/pipelinerun/{run.pk}/{what}/"


def test_its_screen_shows_how_far_it_is_and_asks_again_until_it_is_over(inside, going_on, cast):
    page = inside("analyst").get(address(going_on)).content.decode()
    assert "<progress" in page and "every 2s" in page and "Stop this run" in page and f"/runs/{going_on.pk}/" in page
    assert "Hot spots: radius" in page
    assert "Stop this run" not in inside("auditor").get(address(going_on)).content.decode()
    pipeline.request_cancel(run=going_on, by=cast.analyst)
    panel = inside("analyst").get(address(going_on, "progress")).content.decode()
    assert "Stopping" in panel and "Stop this run" not in panel


def test_it_is_stopped_by_those_who_may_and_by_nobody_else(inside, going_on):
    inside("auditor").post(address(going_on, "stop"))
    going_on.refresh_from_db()
    assert going_on.cancel_requested_at is None
    answer = inside("supervisor").post(address(going_on, "stop"), follow=True)
    assert "The run stops." in answer.content.decode()
    going_on.refresh_from_db()
    assert going_on.cancelled_by.username == "supervisor"
    assert "already" in inside("supervisor").post(address(going_on, "stop"), follow=True).content.decode()


def test_officers_and_forged_numbers_get_nowhere(inside, going_on):
    assert inside("officer").post(address(going_on, "stop")).status_code in (302, 403)
    assert inside("analyst").get("/admin/incidents/pipelinerun/999999/progress/").status_code == 404
    assert inside("analyst").get(address(going_on, "stop")).status_code == 405
    assert not PipelineRun.objects.exclude(cancel_requested_at=None).exists()
