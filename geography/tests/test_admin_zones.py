"""CMD-1, ING-8: zones in the command centre: names and population may be mended, boundaries and codes may not."""

from __future__ import annotations

import csv
import io

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from core.models import AuditEntry
from geography.models import Zone


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_table_of_zones_goes_out_is_corrected_and_comes_back_without_making_or_moving_a_zone(cast, places):
    client = enter(cast.superadmin)
    sent = client.post(reverse("admin:geography_zone_export"), {"format": "0", "resource": ""})
    rows = list(csv.DictReader(io.StringIO(sent.content.decode("utf-8-sig"))))
    assert {row["code"] for row in rows} >= {"T-SAL", "T-JAB"} and "boundary" not in rows[0]
    salmiya = next(row for row in rows if row["code"] == "T-SAL")
    corrected = {**salmiya, "name_ar": "السالميه الجديدة", "population": "200000", "code": "HACKED", "level": "country"}
    stranger = {**salmiya, "id": "999999", "name_en": "Nowhere"}
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(salmiya))
    writer.writeheader()
    writer.writerows([corrected, stranger])
    count, shape = Zone.objects.count(), places.salmiya.boundary
    file = SimpleUploadedFile("zones.csv", out.getvalue().encode(), content_type="text/csv")
    preview = client.post(reverse("admin:geography_zone_import"), {"format": "0", "resource": "", "import_file": file})
    client.post(reverse("admin:geography_zone_process_import"), preview.context["confirm_form"].initial)
    zone = Zone.objects.get(pk=places.salmiya.pk)
    assert (zone.name_ar, zone.population) == ("السالميه الجديدة", 200_000)
    assert (zone.code, zone.level, Zone.objects.count()) == ("T-SAL", "area", count) and zone.boundary.equals(shape)
    assert AuditEntry.objects.filter(verb="zone.import", after__update=1).exists()


def test_a_zone_is_mended_by_its_form_and_its_code_and_boundary_stay(cast, places):
    client = enter(cast.superadmin)
    address = reverse("admin:geography_zone_change", args=[places.salmiya.pk])
    given = {"name_en": "Salmiyah", "name_ar": "السالمية", "population": "", "label_point_lon": "47.93", "label_point_lat": "29.34"}
    assert client.post(address, {**given, "code": "X", "boundary": "POINT(0 0)"}).status_code == 302
    zone = Zone.objects.get(pk=places.salmiya.pk)
    assert (zone.name_en, zone.code, zone.label_point.coords) == ("Salmiyah", "T-SAL", (47.93, 29.34))
    assert zone.boundary.equals(places.salmiya.boundary)
    assert enter(cast.supervisor).post(address, given).status_code == 403
