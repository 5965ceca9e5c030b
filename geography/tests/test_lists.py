"""CMD-2, ACC-1: the zones a viewer may be offered in a filter."""

from __future__ import annotations

from django.utils.translation import override

from geography.models import Zone


def test_a_viewer_is_offered_their_governorates_and_what_lies_in_them(places):
    codes = set(Zone.objects.in_use().among({places.hawalli.pk}).values_list("code", flat=True))
    assert codes == {"T-KW", "T-HA", "T-SAL", "T-JAB"}


def test_none_is_everything_and_the_empty_set_only_the_country(places):
    assert Zone.objects.in_use().among(None).count() == 6
    assert [zone.code for zone in Zone.objects.in_use().among(set())] == ["T-KW"]


def test_lists_are_light_and_in_the_order_of_the_page_s_language(places, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [zone.name_en for zone in Zone.objects.level("area").names()] == ["Jabriya", "Salmiya", "Sharq"]
    with override("ar"):
        assert [zone.name for zone in Zone.objects.level("area").names()] == sorted(["الجابرية", "السالمية", "شرق"])


def test_a_zone_out_of_use_is_not_offered(places):
    Zone.objects.filter(pk=places.salmiya.pk).update(is_active=False)
    assert "Salmiya" not in {zone.name_en for zone in Zone.objects.level("area").names()}
