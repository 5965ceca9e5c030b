"""The off switch of each model: it takes effect at once, on every page and in the API, and at the next run."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from incidents import events
from incidents.models import Forecast, HotSpot, ModelCard, ModelChoice, ModelSwitch, Surface
from incidents.permissions import Actor, require

MAX_REASON = 400


def is_on(model: str) -> bool:
    """Whether ``model`` may be published. A model nobody has switched is on."""
    return not ModelSwitch.objects.filter(model=model, is_on=False).exists()


def switched_off(models: Iterable[str] | None = None) -> dict[str, ModelSwitch]:
    """The models that are off, by name: all of them, or those of ``models``."""
    rows = ModelSwitch.objects.filter(is_on=False).select_related("changed_by")
    if models is not None:
        rows = rows.filter(model__in=sorted(set(models)))
    return {row.model: row for row in rows}


def known_models() -> list[str]:
    """Every model that has issued something or been tried, by name."""
    known = {HotSpot.MODEL}
    known.update(ModelCard.objects.values_list("model", flat=True).distinct())
    for champion, baseline, published in ModelChoice.objects.values_list("champion", "best_baseline", "published").distinct():
        known |= {champion, baseline, published}
    known.update(Surface.objects.filter(is_current=True).order_by().values_list("model", flat=True).distinct())
    known.update(Forecast.objects.filter(is_current=True).order_by().values_list("method", flat=True).distinct())
    known.update(ModelSwitch.objects.values_list("model", flat=True))
    return sorted(known - {""})


@transaction.atomic
def switch_model(*, model: str, on: bool, by: Actor | None, reason: str) -> ModelSwitch:
    """Switch ``model`` off, or on again, for the whole nation, saying why.

    What it issued stays stored and is scored; it is not shown while it is off. Only who answers for every governorate may: a model is
    one and the same everywhere.
    """
    require(by, "switch_models")
    if by is not None and by.jurisdiction.governorate_ids is not None:
        raise NotAllowed(_("A model is switched for the whole nation: that is for somebody who sees every governorate."))
    reason = reason.strip()
    if not reason:
        raise Invalid(_("Say why."), fields={"reason": _("Give a reason.")})
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    if model not in known_models():
        raise NotFound(_("There is no such model."))
    ModelSwitch.objects.get_or_create(model=model)
    switch = ModelSwitch.objects.select_for_update().get(model=model)
    if switch.is_on == on:
        raise Conflict(_("%(model)s is on already.") % {"model": model} if on else _("%(model)s is off already.") % {"model": model})
    before = {"is_on": switch.is_on, "reason": switch.reason}
    switch.is_on, switch.reason = on, reason
    switch.changed_by_id = getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None
    switch.save(update_fields=["is_on", "reason", "changed_by", "changed_at"])
    audit.record("model.switch", obj=switch, by=by, before=before, after={"is_on": on}, reason=reason)
    publish(events.MODEL_SWITCHED, subject=switch, data={"model": model, "is_on": on})
    return switch
