"""INT-4, the SSRF guard: what may be called is asked of the address as typed, and of the very address that is then connected to."""

from __future__ import annotations

import socket

import pytest

from core.errors import Invalid
from core.outbound import BadUrl, Guard, check_url
from interop.models import WebhookSubscription
from interop.services.webhooks import change_webhook, make_webhook
from interop.services.webhooks.subscriptions import checked_url

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/in",
        "ftp://example.org/in",
        "https://user:secret@example.org/in",
        "https://example.org@127.0.0.1/in",
        "https://@example.org/in",
        "https://example.org:22/in",
        "https://example.org:0/in",
        "https://example.org:99999/in",
        "https://example.org\\@127.0.0.1/",
        "https://exa mple.org/",
        "https://example.org/\r\nX-Evil: 1",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1%25eth0]/",
        "https://[fc00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fd00:ec2::254]/",
        "https://%6c%6f%63alhost/",
        "https://①②⑦.⓪.⓪.①/",
        "https://example.org/#part",
        "https:///in",
        "",
        "https://" + "a" * 1100 + ".org/",
    ],
)
def test_an_address_that_hides_something_or_leads_inside_is_refused_as_it_is_written(url):
    with pytest.raises(BadUrl):
        check_url(url, Guard())


@pytest.mark.parametrize("url", ["https://example.org/in?x=1", "https://example.org:8443/", f"https://{PUBLIC}/in", "https://مثال.org/in"])
def test_a_plain_public_address_is_taken(url):
    assert check_url(url, Guard()).scheme == "https"


def test_a_ministry_network_is_called_once_the_allow_list_names_it():
    guard = Guard(("10.20.0.0/16", "hooks.moi.internal"))
    assert check_url("http://10.20.3.4:9000/in", guard).port == 9000
    assert check_url("http://hooks.moi.internal:8080/in", guard).host == "hooks.moi.internal"
    assert guard.admits("hooks.moi.internal", "192.168.7.7") and not guard.admits("other.moi.internal", "192.168.7.7")
    with pytest.raises(BadUrl):
        check_url("http://10.21.3.4:9000/in", guard)


@pytest.mark.parametrize("answers", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::ffff:10.0.0.1"], ["169.254.169.254"], []])
def test_a_name_that_leads_inside_is_refused_when_it_is_saved(answers, settings):
    settings.WEBHOOK_ALLOW = []
    with pytest.raises(BadUrl) as refusal:
        checked_url("https://hooks.example.org/in", lambda host, port: answers)
    assert refusal.value.code == "private"


def test_a_name_that_leads_nowhere_is_refused_when_it_is_saved():
    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such name")

    with pytest.raises(BadUrl) as refusal:
        checked_url("https://hooks.example.org/in", nowhere)
    assert refusal.value.code == "dns"


@pytest.mark.django_db
def test_the_refusal_names_the_field_and_keeps_nothing(owner, settings):
    settings.WEBHOOK_ALLOW = []
    with pytest.raises(Invalid) as refusal:
        make_webhook(key=owner.key, url="https://127.0.0.1/in", types=["nonsense.*"], by=owner.key)
    assert set(refusal.value.fields) == {"url", "types"} and refusal.value.codes["url"] == "private"
    assert not WebhookSubscription.objects.exists()


@pytest.mark.django_db
def test_a_change_of_the_address_is_looked_at_as_the_first_was(hook, settings):
    settings.WEBHOOK_ALLOW = []
    with pytest.raises(Invalid):
        change_webhook(webhook=hook.webhook, by=hook.key, changes={"url": "https://10.0.0.1/"})


@pytest.mark.django_db
def test_a_name_that_is_led_inside_after_it_was_saved_is_not_called(hook, receiver, sender, happen, settings):
    """DNS rebinding: public when saved, our own network when called. The port is the receiver's, so it would have been reached."""
    settings.WEBHOOK_ALLOW = ["rebound.example"]  # so that http and the odd port are let through when it is saved …
    change_webhook(
        webhook=hook.webhook,
        by=hook.key,
        changes={"url": f"http://rebound.example:{receiver.port}/in"},
        resolve=lambda host, port: [PUBLIC],
    )
    WebhookSubscription.objects.update(url=f"https://rebound.example:8443/{receiver.port}")
    settings.WEBHOOK_ALLOW = []  # … and nothing is any more when it is called
    happen()
    sender(resolve=lambda host, port: ["127.0.0.1"]).until_idle()
    (row,) = hook.rows()
    assert not receiver.seen and (row.last_error, row.last_code) == ("ssrf", None)


@pytest.mark.django_db
def test_the_address_that_was_checked_is_the_one_connected_to_with_the_name_in_the_host_header(hook, receiver, sender, happen, settings):
    settings.WEBHOOK_ALLOW = ["hooks.test"]
    WebhookSubscription.objects.update(url=f"http://hooks.test:{receiver.port}/in")
    asked: list[str] = []

    def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]  # a second look-up would lead elsewhere

    happen()
    sender(resolve=once).until_idle()
    assert receiver.seen[0].headers["host"] == f"hooks.test:{receiver.port}" and asked == ["hooks.test"]


@pytest.mark.django_db
def test_a_name_that_is_gone_and_a_port_where_nobody_listens_have_names_of_their_own(hook, sender, happen, settings):
    settings.WEBHOOK_ALLOW = ["hooks.test", "127.0.0.1"]

    def nowhere(host: str, port: int) -> list[str]:
        if host == "hooks.test":
            raise socket.gaierror("no such name")
        return [host]

    WebhookSubscription.objects.update(url="http://hooks.test/in")
    happen()
    sender(resolve=nowhere).until_idle()
    WebhookSubscription.objects.update(url="http://127.0.0.1:9/in")
    happen(subject=2)
    sender(resolve=nowhere).until_idle()
    assert [row.last_error for row in hook.rows()] == ["dns", "connect"]


@pytest.mark.django_db
def test_a_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(hook, sender, happen, receiver):
    WebhookSubscription.objects.update(url=f"https://127.0.0.1:{receiver.port}/in")  # it speaks no TLS at all
    happen()
    sender().until_idle()
    assert hook.rows()[0].last_error == "tls" and not receiver.seen
