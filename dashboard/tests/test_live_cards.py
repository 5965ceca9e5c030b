"""CMD-4: a card that cannot be drawn keeps no other from the board."""

from __future__ import annotations

import orjson
import pytest
from django.db import OperationalError, connection

from core.models import Event
from dashboard import live
from dashboard.live import IncidentPresenter


@pytest.mark.django_db
def test_one_incident_that_cannot_be_drawn_is_announced_without_its_card(report, settings, caplog):
    sick, well = report(), report()
    card = "{% if incident.pk == " + str(sick.pk) + ' %}{% include "no/such.html" %}{% endif %}<li>{{ incident.ref }}</li>'
    loaders = [("django.template.loaders.locmem.Loader", {"dashboard/_card.html": card})]
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}]
    events = list(Event.objects.filter(type="incident.opened").order_by("id"))
    first, second = (orjson.loads("{" + shown.texts["en"] + "}") for shown in IncidentPresenter().show(events, ["en"]) if shown)
    assert (first["id"], first["html"], first["refresh"]) == (sick.pk, None, True)
    assert (second["id"], second["html"]) == (well.pk, f"<li>{well.ref}</li>")
    assert "cannot be drawn" in caplog.text


@pytest.mark.django_db
def test_a_database_that_goes_away_while_a_card_is_drawn_is_not_the_cards_fault(report):
    report()

    def gone(execute, sql, params, many, context):
        if "incidents_incident" in sql:
            raise OperationalError("terminating connection")
        return execute(sql, params, many, context)

    # One whose columns are still to be read, so that drawing it asks the database.
    incident = live.Incident.objects.only("pk").get()
    with connection.execute_wrapper(gone), pytest.raises(OperationalError):
        live._card_or_notice(incident, ["en"])
