"""What every verb of the force asks of who acts and of the reason given."""

from __future__ import annotations

from django.utils.translation import gettext as _

from core.errors import Invalid
from patrol.permissions import Actor

MAX_REASON = 400


def person_id(by: Actor | None) -> int | None:
    """The account behind the actor, for columns that name who did it; a key and the system have none."""
    return by.pk if getattr(by, "audit_kind", "") == "user" else None  # type: ignore[union-attr]


def reasoned(reason: str, *, is_needed: bool = True) -> str:
    """The reason as it is kept. Raises ``Invalid`` when it is missing or too long."""
    reason = " ".join(str(reason).split())
    if is_needed and not reason:
        raise Invalid(_("Say why."), fields={"reason": _("Give a reason.")})
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    return reason
