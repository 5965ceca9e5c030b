"""Who may write, submit and switch on which rule: one's own agency's, over the ground one is responsible for, and no further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Agency
from alerts.models import AlertRule
from alerts.permissions import Actor, require
from alerts.services.rules.checking import FILTERS
from core.errors import Invalid, NotAllowed, NotFound
from geography.models import Zone


def require_rule(by: Actor | None, verb: str, rule: AlertRule | None = None) -> None:
    """The role's verb; and ``NotFound`` for another agency's rule, ``NotAllowed`` for the ministry's where one sees one agency only."""
    require(by, verb)
    if by is None or rule is None:
        return
    agencies = by.jurisdiction.agency_ids
    if agencies is None or rule.agency_id in agencies:
        return
    if rule.agency_id is not None or not agencies:
        raise NotFound(_("There is no such rule."))
    raise NotAllowed(_("This is a rule of the whole ministry: only who sees every agency may change it."))


def may_write(by: Actor, verb: str, rule: AlertRule | None = None) -> bool:
    try:
        require_rule(by, verb, rule)
    except (NotAllowed, NotFound):
        return False
    return True


def stay_within(by: Actor | None, columns: Mapping[str, Any]) -> None:
    """Refuse a rule that looks beyond its writer's agencies and governorates: its alerts would tell them what they may not see."""
    if by is None:
        return
    means, mine = FILTERS[columns["source"]], by.jurisdiction
    if mine.agency_ids is not None:
        slugs = dict(Agency.objects.filter(pk__in=sorted(mine.agency_ids)).values_list("slug", "pk"))
        if columns["agency"] is None or columns["agency"].pk not in mine.agency_ids:
            text = _("Say whose rule it is; yours may be of: %(codes)s.") % {"codes": ", ".join(slugs) or "–"}
            raise Invalid(text, fields={"agency": text})
        if "agencies" in means and (not columns["agencies"] or not set(columns["agencies"]) <= set(slugs)):
            text = _("Say which agencies it looks at; you may name: %(codes)s.") % {"codes": ", ".join(slugs) or "–"}
            raise Invalid(text, fields={"agencies": text})
    if mine.governorate_ids is not None and "governorates" in means:
        codes = set(Zone.objects.filter(pk__in=sorted(mine.governorate_ids)).values_list("code", flat=True))
        if not columns["governorates"] or not set(columns["governorates"]) <= codes:
            text = _("Say which governorates it looks at; you may name: %(codes)s.") % {"codes": ", ".join(sorted(codes)) or "–"}
            raise Invalid(text, fields={"governorates": text})
