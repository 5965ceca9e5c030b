"""The words of messages: the small language, what comes from outside, SMS parts, refusals when saved (ALR-3)."""

from __future__ import annotations

import pytest
from django.core.exceptions import ObjectDoesNotExist

from alerts.analytics import sms, wording
from alerts.models import MessageTemplate
from alerts.services.delivery import page_person, preview, remove_template, save_template, send_due
from alerts.services.delivery.template_seeds import SEEDS, ensure_default_templates
from alerts.services.delivery.templates import check
from alerts.services.delivery.words import SECRETS, words_for
from alerts.tests.senders import Scripted
from core.errors import Conflict, Invalid, NotAllowed


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("", "GSM-7", 0),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("ح" * 70, "UCS-2", 1),
        ("ح" * 71, "UCS-2", 2),
        ("ح" * 134, "UCS-2", 2),
        ("ح" * 135, "UCS-2", 3),
        ("a" * 69 + "ح", "UCS-2", 1),
        ("🔥" * 35, "UCS-2", 1),
        ("🔥" * 66, "UCS-2", 2),  # 33 a part: a character is never cut in two
        ("🔥" * 67, "UCS-2", 3),
    ],
)
def test_sms_parts_are_counted_as_the_network_counts_them(text, encoding, parts):
    found = sms.measure(text)
    assert (found.encoding, found.parts) == (encoding, parts)


def test_a_line_without_anything_to_say_is_left_out():
    assert wording.fill("{title}\nWhere: {place}\nNow", {"title": "Smoke", "place": ""}) == "Smoke\nNow"


def test_nothing_is_looked_up_or_computed():
    for text in ("{title.__class__}", "{title!r}", "{0}", "{{title}}", "{ title }", "{title:>99999999}"):
        with pytest.raises(wording.Malformed):
            wording.names_in(text)
    assert wording.fill("{title}", {"title": "{code} %s {% now %}"}) == "{code} %s {% now %}"


@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        ("exe\u202egpj.fire", "exegpj.fire"),
        ("a\u2066b\u2069c\u200fd\u061ce", "abcde"),
        ("Smoke\r\nBcc: all@example.org", "Smoke Bcc: all@example.org"),
        ("nul\x00bell\x07esc\x1b[31m", "nulbellesc[31m"),
        ("{code}", "(code)"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("x" * 500, "x" * 399 + "…"),
    ],
)
def test_text_from_outside_is_made_harmless(outside, inside):
    assert wording.clean(outside) == inside


@pytest.mark.django_db
@pytest.mark.parametrize("event", MessageTemplate.Event.values)
@pytest.mark.parametrize("channel", ["sms", "whatsapp", "voice", "email", "push", "slack", "gateway"])
def test_there_are_words_for_every_event_channel_and_language(fire, event, channel):
    alert = fire(measure=12, threshold=10, text="Two engines needed.")
    for language in ("ar", "en"):
        words = words_for(alert, channel=channel, language=language, event=event, more={"by": "a colleague"})
        if event != "test":
            assert (alert.title_ar if language == "ar" else alert.title_en) in words.body + words.subject
        left = wording.fill(words.body, dict.fromkeys(SECRETS, "x"))
        assert "{" not in left and "{" not in words.subject
        if channel in ("sms", "gateway"):
            assert 1 <= words.parts <= 4


def test_the_products_own_words_would_be_taken_by_its_own_refusals():
    for (event, channel, language), seed in SEEDS.items():
        assert not check(event=event, channel=channel, language=language, subject=seed.subject, body=seed.body), (event, channel, language)


@pytest.mark.django_db
def test_seeding_twice_adds_nothing_and_leaves_changed_words_alone(cast):
    ensure_default_templates()
    changed = save_template(
        by=cast.superadmin, template=MessageTemplate.objects.get(event="any", channel="sms", language="en"), body="{title}!"
    )
    assert ensure_default_templates() == 0
    changed.refresh_from_db()
    assert changed.body == "{title}!" and not changed.is_seeded


@pytest.mark.django_db
def test_where_every_row_was_deleted_there_are_still_words(fire):
    MessageTemplate.objects.all().delete()
    assert "Smoke over the market" in words_for(fire(), channel="sms", language="en").body


@pytest.mark.django_db
def test_the_narrowest_template_is_used(fire, cast):
    alert = fire(text="Two engines.")
    MessageTemplate.objects.filter(channel="sms", language="en").delete()
    save_template(by=cast.superadmin, event="any", channel="sms", language="en", body="any {title}")
    save_template(by=cast.superadmin, event="manual", channel="sms", language="en", body="manual {title}")
    assert words_for(alert, channel="sms", language="en").body == "manual Smoke over the market"
    remove_template(by=cast.superadmin, template=MessageTemplate.objects.get(event="manual", channel="sms", language="en"))
    with pytest.raises(ObjectDoesNotExist):
        MessageTemplate.objects.get(event="manual", channel="sms", language="en")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"body": "{tilte}"}, "body", "Is title meant?"),
        ({"body": "{title} {zzz}"}, "body", "zzz"),
        ({"body": "{title} { x"}, "body", "brace"),
        ({"body": "{title.objects}"}, "body", "brace"),
        ({"body": ""}, "body", "words"),
        ({"body": "Nothing of it"}, "body", "title"),
        ({"body": "{title}", "subject": "{code}"}, "subject", "code"),
        ({"body": "{title}", "subject": "a\nBcc: b"}, "subject", "One line"),
        ({"body": "{title} {acknowledge_link}", "channel": "voice"}, "body", "spoken"),
        ({"body": "{title}" + "ح" * 500, "channel": "sms"}, "body", "parts"),
        ({"body": "{title}" + "x" * 700, "channel": "sms"}, "body", "characters"),
        ({"body": "{title}", "channel": "pigeon"}, "channel", "list"),
        ({"body": "{title}", "channel": "in_app"}, "channel", "screen"),
        ({"body": "{title}", "event": "war"}, "event", "list"),
        ({"body": "{title}", "language": "fr"}, "language", "list"),
        ({"body": "{title}", "channel": "sms", "provider_template": "HX1"}, "provider_template", "WhatsApp"),
        ({"body": "{title}", "channel": "whatsapp", "provider_template": "No Such!"}, "provider_template", "HX"),
    ],
)
def test_what_is_wrong_with_a_template_is_said_when_it_is_saved(cast, given, field, said):
    with pytest.raises(Invalid) as refused:
        save_template(by=cast.superadmin, **{"event": "any", "channel": "slack", "language": "en", **given})
    assert said in refused.value.fields[field]


@pytest.mark.django_db
def test_one_place_has_one_template_and_only_some_may_write_it(cast):
    ensure_default_templates()
    with pytest.raises(Conflict):
        save_template(by=cast.superadmin, event="any", channel="sms", language="en", body="{title}")
    with pytest.raises(NotAllowed):
        save_template(by=cast.officer, event="any", channel="slack", language="en", body="{title}")


@pytest.mark.django_db
def test_a_preview_reads_as_the_message_will_without_anybodys_code(fire):
    shown = preview(subject="", body="{level}: {title} {code}", channel="sms", language="ar", alert=fire())
    assert shown.text.startswith("مرتفع: دخان فوق السوق") and shown.length.encoding == "UCS-2"


@pytest.mark.django_db
def test_the_row_of_a_delivery_holds_neither_code_nor_link_but_the_message_does(alerting, fire, cast):
    page = page_person(alert=fire(), user=cast.dispatcher)
    row = page.deliveries.get(channel="sms")
    assert page.code not in row.body and "{code}" in row.body
    sender = Scripted()
    send_due(sender_of=sender)
    assert page.code in sender.taken[0].text and "{" not in sender.taken[0].text


@pytest.mark.django_db
def test_a_title_from_outside_cannot_ask_for_another_persons_code(alerting, fire, cast):
    page_person(alert=fire(title_en="Fire {code} \u202e{acknowledge_link}"), user=cast.dispatcher)
    sender = Scripted()
    send_due(sender_of=sender)
    assert "Fire (code) (acknowledge_link)" in sender.taken[0].text
