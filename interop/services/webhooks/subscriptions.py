"""Webhooks are made, changed, paused, resumed, tried out and removed: by their owner's key, or by a person who manages keys."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from core.outbound import BadUrl, Guard, check_url, private
from geography.models import Zone
from incidents.permissions import Actor
from interop import events
from interop.models import PartnerKey, WebhookDelivery, WebhookSubscription
from interop.services.webhooks.catalogue import matching
from interop.services.webhooks.fanning import test_delivery
from interop.services.webhooks.permissions import require_owner
from interop.services.webhooks.queue import give_up
from interop.services.webhooks.secrets import give_secret

State = WebhookSubscription.State
MOST_OF_A_KEY = 50
MOST_TYPES = 100
RESOLVE_S = 5.0
Resolve = Callable[[str, int], list[str]]
_resolving = ThreadPoolExecutor(4, thread_name_prefix="resolve")


def by_the_system(host: str, port: int) -> list[str]:
    """What a name leads to, asked of the machine's resolver; ``OSError`` where it leads nowhere."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def make_webhook(
    *,
    key: PartnerKey,
    url: str,
    types: Sequence[str],
    by: Actor | None,
    name: str = "",
    governorates: Iterable[Zone] = (),
    contact_email: str = "",
    concurrency: int | None = None,
    resolve: Resolve = by_the_system,
) -> tuple[WebhookSubscription, str]:
    """Make a webhook that hears what ``key`` may read; the second of the pair is its secret, shown once."""
    require_owner(by)
    asked: dict[str, Any] = {"url": url, "types": types, "name": name, "contact_email": contact_email, "governorates": list(governorates)}
    if concurrency is not None:
        asked["concurrency"] = concurrency
    given, places = _checked(key, asked, resolve)  # asks the resolver: before any row is held
    with transaction.atomic():
        PartnerKey.objects.select_for_update(no_key=True).get(pk=key.pk)  # two at once count one after the other
        if WebhookSubscription.objects.filter(key=key).exclude(state=State.REMOVED).count() >= MOST_OF_A_KEY:
            raise Conflict(_("A key has at most %(limit)d webhooks.") % {"limit": MOST_OF_A_KEY})
        person = by if isinstance(by, User) else None
        webhook = WebhookSubscription.objects.create(partner=key.partner, key=key, created_by=person, **given)
        webhook.governorates.set(places or [])
        secret = give_secret(webhook)
        said = {**given, "governorates": [zone.code for zone in places or []], "key": key.pk}
        audit.record("webhook.make", obj=webhook, by=by, after=said)
    return webhook, secret


def change_webhook(
    *, webhook: WebhookSubscription, by: Actor | None, changes: dict[str, Any], resolve: Resolve = by_the_system
) -> WebhookSubscription:
    """Change what is named in ``changes``. Where a key does it the webhook is that key's from now on, with what that one may read."""
    require_owner(by, webhook)
    key = by if isinstance(by, PartnerKey) else webhook.key
    given, places = _checked(key, changes, resolve)  # asks the resolver: before any row is held
    with transaction.atomic():
        held = WebhookSubscription.objects.select_for_update(of=("self",), no_key=True).get(pk=webhook.pk)
        if held.state == State.REMOVED:
            raise Conflict(_("This webhook was removed."))
        before = {name: getattr(held, name) for name in given}
        after = dict(given)
        if key.pk != held.key_id:
            given["key"] = key
            before["key"], after["key"] = held.key_id, key.pk
        for name, value in given.items():
            setattr(held, name, value)
        if given:
            held.save(update_fields=sorted(given))
        if places is not None:
            before["governorates"] = sorted(held.governorates.values_list("code", flat=True))
            held.governorates.set(places)
            after["governorates"] = sorted(zone.code for zone in places)
        audit.record("webhook.change", obj=held, by=by, before=before, after=after)
    return held


@transaction.atomic
def pause_webhook(*, webhook: WebhookSubscription, by: Actor | None) -> WebhookSubscription:
    """Nothing is sent and nothing new is queued until it is resumed. What is under way waits."""
    require_owner(by, webhook)
    return _move(webhook, State.PAUSED, {State.ACTIVE}, by=by, because=_("by its owner"))


@transaction.atomic
def resume_webhook(*, webhook: WebhookSubscription, by: Actor | None) -> WebhookSubscription:
    """Send again, from now on; what was missed meanwhile can be replayed. Its streak of failures begins anew."""
    require_owner(by, webhook)
    WebhookSubscription.objects.filter(pk=webhook.pk).update(first_failure_at=None, last_failure_at=None, failing_since=None, last_error="")
    return _move(webhook, State.ACTIVE, {State.PAUSED, State.DISABLED, State.ENDED}, by=by, because="")


@transaction.atomic
def remove_webhook(*, webhook: WebhookSubscription, by: Actor | None) -> None:
    """For good. Its log stays until retention takes it."""
    require_owner(by, webhook)
    _move(webhook, State.REMOVED, {State.ACTIVE, State.PAUSED, State.DISABLED, State.ENDED}, by=by, because=_("by its owner"))
    give_up(webhook_id=webhook.pk, error="state")


@transaction.atomic
def send_test(*, webhook: WebhookSubscription, by: Actor | None) -> WebhookDelivery:
    """Queue a ``webhook.test`` for this webhook alone, at once, by the way every delivery goes."""
    require_owner(by, webhook)
    if webhook.state == State.REMOVED:
        raise Conflict(_("This webhook was removed."))
    event = publish(events.WEBHOOK_TESTED, subject=webhook, agency_id=webhook.partner.agency_id, data={"webhook": str(webhook.uid)})
    return test_delivery(webhook, event)


def _move(webhook: WebhookSubscription, to: str, allowed: set[Any], *, by: Actor | None, because: str) -> WebhookSubscription:
    held = WebhookSubscription.objects.select_for_update(of=("self",), no_key=True).get(pk=webhook.pk)
    if held.state not in allowed:
        raise Conflict(_("This webhook is in the state “%(state)s”.") % {"state": held.get_state_display()})
    before, held.state, held.state_because, held.state_since = held.state, to, because, timezone.now()
    held.save(update_fields=["state", "state_because", "state_since"])
    audit.record("webhook.move", obj=held, by=by, before={"state": before}, after={"state": str(to)})
    webhook.state, webhook.state_because, webhook.state_since = held.state, held.state_because, held.state_since
    return held


# -- what may be written in it ----------------------------------------------------------------------------------------------------


def _checked(key: PartnerKey, asked: dict[str, Any], resolve: Resolve) -> tuple[dict[str, Any], list[Zone] | None]:
    """The columns to write, and the governorates if they are named; ``Invalid`` with every problem at once."""
    given: dict[str, Any] = {}
    problems: dict[str, str] = {}
    codes: dict[str, str] = {}
    if "url" in asked:
        try:
            given["url"] = checked_url(str(asked["url"]), resolve)
        except BadUrl as bad:
            problems["url"], codes["url"] = bad.message, bad.code
    if "types" in asked:
        given["types"], problem = _types(key, asked["types"])
        if problem:
            problems["types"] = problem
    if "name" in asked:
        given["name"] = " ".join(str(asked["name"]).split())[:80]
    if "contact_email" in asked:
        given["contact_email"] = str(asked["contact_email"]).strip()
        try:
            if given["contact_email"]:
                validate_email(given["contact_email"])
        except ValidationError:
            problems["contact_email"] = _("This is no e-mail address.")
    if "concurrency" in asked:
        given["concurrency"] = asked["concurrency"]
        if not isinstance(asked["concurrency"], int) or not 1 <= asked["concurrency"] <= 50:
            problems["concurrency"] = _("1 to %(limit)d.") % {"limit": 50}
    places: list[Zone] | None = None
    if "governorates" in asked:
        places = list(asked["governorates"])
        seen = key.jurisdiction.governorate_ids
        if any(zone.level != Zone.Level.GOVERNORATE or zone.region_id != key.partner.region_id for zone in places):
            problems["governorates"] = _("Choose governorates of the partner's region.")
        elif seen is not None and any(zone.pk not in seen for zone in places):
            problems["governorates"] = _("The key may not see these governorates.")
    if problems:
        raise Invalid(_("The webhook cannot be so."), fields=problems, codes=codes)
    return given, places


def _types(key: PartnerKey, asked: Any) -> tuple[list[str], str]:
    if not isinstance(asked, list | tuple) or not asked or not all(isinstance(one, str) for one in asked):
        return [], _("Name at least one event type.")
    wanted = list(dict.fromkeys(one.strip() for one in asked))
    if len(wanted) > MOST_TYPES:
        return [], _("At most %(limit)d.") % {"limit": MOST_TYPES}
    for one in wanted:
        found = matching([one])
        if not found:
            return [], _("There is no event type %(type)s.") % {"type": one[:64]}
        if not any(kind.scope in key.scopes for kind in found):
            return [], _("%(type)s needs a key with the scope %(scope)s.") % {"type": one[:64], "scope": found[0].scope.value}
    return wanted, ""


def checked_url(text: str, resolve: Resolve) -> str:
    """The address as it is kept; ``BadUrl`` where it must not or cannot be called. Looked at again at each call."""
    guard = Guard(tuple(settings.WEBHOOK_ALLOW))
    url = check_url(text, guard)
    try:
        found = _resolving.submit(resolve, url.host, url.port).result(RESOLVE_S)
    except TooSlow as error:
        raise BadUrl(_("The name %(host)s could not be looked up in time.") % {"host": url.host}, code="dns") from error
    except OSError as error:
        raise BadUrl(_("The name %(host)s leads nowhere.") % {"host": url.host}, code="dns") from error
    if not found or not all(guard.admits(url.host, address) for address in found):
        raise BadUrl(private(), code="private")
    return url.text
