"""Addresses: kept in one form, proved by a code that travels by that very channel, switched off and removed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.channels import registry
from alerts.channels.addresses import check
from alerts.channels.base import Failure, Message, PermanentFailure
from alerts.models import Channel, Contact, ContactMethod
from alerts.permissions import Actor
from alerts.services.people.rights import masked, require_contact, require_method, require_person
from core import audit
from core.errors import Conflict, Invalid
from core.text import western_digits

MOST_METHODS = 12
CODE_DIGITS = 6
CODE_LIFE = timedelta(minutes=10)
AGAIN_AFTER = timedelta(seconds=60)
MOST_TRIES = 5
MOST_CODES_AN_HOUR = 10
# What has an address: the screen has none, and a browser subscribes itself.
OF_PEOPLE = (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.VOICE, Channel.GATEWAY)
OF_CONTACTS = (*OF_PEOPLE, Channel.SLACK, Channel.WEBHOOK)


def checked_address(channel: str, address: str) -> str:
    """The address as it is kept. Raises ``Invalid`` with the field ``address``, and a sentence, for one that cannot be."""
    address = str(address).strip()
    sender = registry.sender_of(channel)
    try:
        found = sender.check_address(address) if sender is not None else check(channel, address)
    except PermanentFailure as refusal:
        raise Invalid(refusal.message, fields={"address": refusal.message}) from refusal
    if len(found) > 500 or (not found and channel != Channel.SLACK):
        message = _("Give an address.") if not found else _("At most %(limit)d characters.") % {"limit": 500}
        raise Invalid(message, fields={"address": message})
    return found


@transaction.atomic
def add_method(
    *, by: Actor | None, channel: str, address: str, user: User | None = None, contact: Contact | None = None, secret_name: str = ""
) -> ContactMethod:
    """Keep an address of a person or a contact. A person's pages nobody until it is proved (``send_code``, ``prove``)."""
    assert (user is None) != (contact is None), "of a person or of a contact"
    if user is not None:
        require_person(by, user)
        User.objects.select_for_update().get(pk=user.pk)
    elif contact is not None:
        require_contact(by, contact)
        Contact.objects.select_for_update().get(pk=contact.pk)
    if channel not in (OF_PEOPLE if user is not None else OF_CONTACTS):
        message = _("Choose a channel that has addresses.")
        raise Invalid(message, fields={"channel": message})
    if ContactMethod.objects.filter(user=user, contact=contact).count() >= MOST_METHODS:
        message = _("At most %(n)d addresses.") % {"n": MOST_METHODS}
        raise Invalid(message, fields={"address": message})
    kept = checked_address(channel, address)
    try:
        with transaction.atomic():
            method = ContactMethod.objects.create(user=user, contact=contact, channel=channel, address=kept, secret_name=secret_name[:64])
    except IntegrityError as error:
        raise Conflict(_("This address is known already."), fields={"address": _("This address is known already.")}) from error
    _record("contactmethod.add", method, by)
    return method


@transaction.atomic
def remove_method(*, method: ContactMethod, by: Actor | None) -> None:
    require_method(by, method)
    _record("contactmethod.remove", method, by)
    method.delete()


@transaction.atomic
def switch_method(*, method: ContactMethod, by: Actor | None, is_active: bool, reason: str = "") -> ContactMethod:
    """Take an address out of use, or back into it: what made it fail is forgotten, what proved it is not."""
    require_method(by, method)
    method.is_active, method.disabled_because, method.fail_streak = is_active, "" if is_active else reason.strip()[:200], 0
    method.save(update_fields=["is_active", "disabled_because", "fail_streak"])
    _record("contactmethod.switch_on" if is_active else "contactmethod.switch_off", method, by)
    return method


def send_code(*, method: ContactMethod, by: Actor | None) -> None:
    """Send six digits to the address by its own channel. The digits are kept as a digest, live ten minutes, and are sent once a minute.

    Raises ``Conflict`` where the channel is not set up here or refuses the message, with what it said.
    """
    require_method(by, method)
    sender = registry.sender_of(method.channel)
    if sender is None:
        raise Conflict(_("%(channel)s is not set up here.") % {"channel": method.get_channel_display()})
    _within_limit(by)
    now = timezone.now()
    code = "".join(secrets.choice("0123456789") for _digit in range(CODE_DIGITS))
    fresh = ContactMethod.objects.filter(pk=method.pk).exclude(code_sent_at__gt=now - AGAIN_AFTER)
    if fresh.update(code_digest=_digest(method, code), code_sent_at=now, code_tries=0) != 1:
        raise Conflict(_("A code was sent a moment ago. Wait a minute before asking for another."))
    try:
        sender.send(_message(method, code))
    except Failure as failure:
        ContactMethod.objects.filter(pk=method.pk).update(code_digest="")
        raise Conflict(_("The code could not be sent: %(why)s") % {"why": failure.message}) from failure
    _record("contactmethod.send_code", method, by)


def prove(*, method: ContactMethod, by: Actor | None, code: str) -> ContactMethod:
    """The code that arrived: the address counts from now on. Five guesses, then another code is needed."""
    require_method(by, method)
    given = "".join(western_digits(str(code)[:40]).split())
    # Counted before it is looked at, and outside the rest: a wrong guess stays counted though it is refused.
    live = ContactMethod.objects.filter(pk=method.pk, code_sent_at__gt=timezone.now() - CODE_LIFE).exclude(code_digest="")
    if live.filter(code_tries__lt=MOST_TRIES).update(code_tries=F("code_tries") + 1) != 1:
        raise Conflict(_("The code is no longer valid. Ask for another."), fields={"code": _("Ask for another code.")})
    method.refresh_from_db()
    if not hmac.compare_digest(method.code_digest, _digest(method, given)):
        raise Invalid(_("That is not the code."), fields={"code": _("That is not the code.")})
    with transaction.atomic():
        return _proved(method, by)


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _proved(method: ContactMethod, by: Actor | None) -> ContactMethod:
    method.verified_at, method.code_digest = timezone.now(), ""
    method.is_active, method.disabled_because, method.fail_streak = True, "", 0
    method.save(update_fields=["verified_at", "code_digest", "is_active", "disabled_because", "fail_streak"])
    _record("contactmethod.prove", method, by)
    return method


def _within_limit(by: Actor | None) -> None:
    """Ten codes an hour from one person, whatever they delete and add again: codes cost money and may annoy a stranger."""
    key = f"alerts:codes:{getattr(by, 'audit_kind', 'system')}:{getattr(by, 'pk', 0)}"
    cache.add(key, 0, timeout=3600)
    try:
        sent = cache.incr(key)
    except ValueError:  # it ended between the two
        sent = 1
    if sent > MOST_CODES_AN_HOUR:
        raise Conflict(_("Too many codes were asked for. Try again in an hour."))


def _digest(method: ContactMethod, code: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), f"method:{method.pk}:{method.address}:{code}".encode(), hashlib.sha256).hexdigest()


def _message(method: ContactMethod, code: str) -> Message:
    owner = method.user or method.contact
    language = owner.language if owner is not None else User.Language.ARABIC
    with translation.override(language):
        spoken = " ".join(code) if method.channel == Channel.VOICE else code
        text = _("Your Khareetaty code is %(code)s. It is valid for ten minutes.") % {"code": spoken}
        return Message(key=uuid4(), to=method.address, language=language, subject=_("Your code"), text=text, is_test=True,
                       secret_name=method.secret_name)  # fmt: skip


def _record(verb: str, method: ContactMethod, by: Actor | None) -> None:
    """The audit trail is read by more people than the address is for: it keeps it masked."""
    after = {
        "channel": method.channel,
        "address": masked(method.channel, method.address),
        "user": method.user_id,
        "contact": method.contact_id,
    }
    entry = audit.draft(verb, obj=method, by=by, after=after)
    entry.object_name = f"{method.get_channel_display()} {after['address']}"[:200]
    entry.save(force_insert=True)
