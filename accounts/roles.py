"""What each role may do. One table, read by ``User.has_perm`` and by every ``permissions.py``."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    SUPERADMIN = "superadmin", _("Super administrator")
    SUPERVISOR = "supervisor", _("Supervisor")
    ANALYST = "analyst", _("Analyst")
    DISPATCHER = "dispatcher", _("Dispatcher")
    OFFICER = "officer", _("Officer")
    AUDITOR = "auditor", _("Auditor")
    PARTNER = "partner", _("Partner")


# Verbs on incidents, by role. A verb that is not listed is refused.
CAPABILITIES: dict[str, frozenset[str]] = {
    Role.SUPERADMIN: frozenset(
        {
            "open",
            "classify",
            "move",
            "close",
            "reopen",
            "annotate",
            "import",
            "run_pipeline",
            "manage_people",
            "manage_zones",
            "manage_keys",
            "read_audit",
        }
    ),
    Role.SUPERVISOR: frozenset({"open", "classify", "move", "close", "reopen", "annotate", "import", "run_pipeline"}),
    Role.ANALYST: frozenset({"annotate", "import", "run_pipeline"}),
    Role.DISPATCHER: frozenset({"open", "classify", "move", "close", "annotate"}),
    Role.OFFICER: frozenset({"move", "annotate"}),
    Role.AUDITOR: frozenset({"read_audit"}),
    Role.PARTNER: frozenset(),
}

# The command centre (Django admin): who may enter, and per model label which of view/add/change/delete. "*" is any other model.
ADMIN_ROLES = frozenset({Role.SUPERADMIN, Role.SUPERVISOR, Role.ANALYST, Role.AUDITOR})
_READ: frozenset[str] = frozenset({"view"})
_EDIT: frozenset[str] = frozenset({"view", "add", "change"})
_ALL: frozenset[str] = frozenset({"view", "add", "change", "delete"})
_PRIVATE = frozenset({"core.auditentry", "axes.accessattempt", "axes.accesslog", "axes.accessfailurelog"})
_CLERKS_MAY_EDIT: dict[str, frozenset[str]] = {
    "incidents.incident": _EDIT,
    "incidents.incidenttype": _EDIT,
    "incidents.typemapping": _ALL,
    "incidents.severitymapping": _ALL,
    "incidents.source": _EDIT,
    "incidents.rejectedrow": _EDIT,
    "incidents.importrun": _EDIT,
}


def admin_actions(role: str, model_label: str) -> frozenset[str]:
    """Which of view, add, change, delete ``role`` has on ``model_label`` ("app.model") in the command centre."""
    if role == Role.SUPERADMIN:
        return _READ if model_label in _PRIVATE else _ALL
    if role == Role.AUDITOR:
        return _READ
    if role not in ADMIN_ROLES or model_label in _PRIVATE:
        return frozenset()
    if model_label.startswith(("interop.partnerkey", "accounts.user", "sessions.")):
        return frozenset() if role == Role.ANALYST else _READ
    if role == Role.SUPERVISOR:
        return _CLERKS_MAY_EDIT.get(model_label, _READ)
    return _EDIT if model_label in {"incidents.typemapping", "incidents.severitymapping", "incidents.importrun"} else _READ
