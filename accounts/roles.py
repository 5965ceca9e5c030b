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


# Whoever leads the force may do all of it.
_PATROL = frozenset(
    {
        "manage_force",
        "roster",
        "dispatch",
        "task",
        "act_in_field",
        "plan",
        "publish_plan",
        "study_coverage",
        "watch_units",
        "report_position",
        "raise_sos",
        "answer_sos",
        "sign_handover",
        "run_trial",
        "consent_aid",
    }
)

# Verbs on alerts: ``alerts.permissions`` says what each means. Whoever is paged may see and acknowledge that alert, whatever their role.
_HEARS_ALERTS = frozenset({"see_alerts", "ack_alert"})
_RUNS_ALERTS = _HEARS_ALERTS | {
    "override_alert",
    "raise_alert",
    "draft_rule",
    "activate_rule",
    "manage_alerts",
    "manage_oncall",
}

# Verbs on incidents and on the force, by role. A verb that is not listed is refused.
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
            "switch_models",
            "suppress_places",
            "hand_over",
            "mend_messages",
            "share",
            "read_records",
            "see_devices",
            "manage_devices",
            "dismiss_insights",
            "answer_anomaly",
        }
    )
    | _PATROL
    | _RUNS_ALERTS,
    Role.SUPERVISOR: frozenset(
        {
            "open",
            "classify",
            "move",
            "close",
            "reopen",
            "annotate",
            "import",
            "run_pipeline",
            "switch_models",
            "suppress_places",
            "hand_over",
            "mend_messages",
            "share",
            "read_records",
            "see_devices",
            "manage_devices",
            "dismiss_insights",
            "answer_anomaly",
        }
    )
    | _PATROL
    | _RUNS_ALERTS,
    Role.ANALYST: frozenset(
        {
            "annotate",
            "import",
            "run_pipeline",
            "plan",
            "study_coverage",
            "watch_units",
            "run_trial",
            "see_alerts",
            "draft_rule",
            "see_devices",
            "answer_anomaly",
        }
    ),
    Role.DISPATCHER: frozenset(
        {
            "open",
            "classify",
            "move",
            "close",
            "annotate",
            "dispatch",
            "task",
            "watch_units",
            "report_position",
            "raise_sos",
            "answer_sos",
            "see_devices",
            "dismiss_insights",
            "answer_anomaly",
        }
    )
    | _HEARS_ALERTS
    | {"raise_alert", "override_alert"},
    Role.OFFICER: frozenset({"move", "annotate", "act_in_field", "report_position", "raise_sos"}),
    Role.AUDITOR: frozenset({"read_audit", "read_records", "watch_units", "see_alerts", "see_devices"}),
    Role.PARTNER: frozenset(),
}

# The command centre (Django admin): who may enter, and per model label which of view/add/change/delete. "*" is any other model.
ADMIN_ROLES = frozenset({Role.SUPERADMIN, Role.SUPERVISOR, Role.ANALYST, Role.AUDITOR})
_READ: frozenset[str] = frozenset({"view"})
_EDIT: frozenset[str] = frozenset({"view", "add", "change"})
_ALL: frozenset[str] = frozenset({"view", "add", "change", "delete"})
# Who did what and who failed to sign in: for the super administrator and the auditor.
_PRIVATE = frozenset(
    {
        "core.auditentry",
        "accounts.tokensession",
        "interop.requestlog",
        "axes.accessattempt",
        "axes.accesslog",
        "axes.accessfailurelog",
        "axes.accessattemptexpiration",
    }
)
# Written by services and machines: the command centre reads them.
_WRITTEN_BY_SERVICES = frozenset(
    {
        "core.event",
        "core.eventcursor",
        "geography.zonepiece",
        "incidents.incidentlog",
        "incidents.report",
        "incidents.pipelinerun",
        "incidents.pipelinestep",
        "incidents.hotspot",
        "incidents.forecast",
        "incidents.hotspottrack",
        "incidents.surface",
        "incidents.nearrepeat",
        "incidents.duplicatecandidate",
        "incidents.feedhour",
        "incidents.modelchoice",
        "incidents.modelcard",
        "incidents.modelswitch",
        "incidents.score",
        "incidents.suppression",
        "incidents.handover",
        "interop.inboxmessage",
        "interop.correction",
        "interop.batchjob",
        "interop.batchrow",
        "interop.webhookdelivery",
        "interop.webhookattempt",
        "interop.webhooksecret",
        "interop.keyusage",
        "interop.agreementversion",
        "interop.signature",
        "interop.readrecord",
        "interop.systemprobe",
        "iot.anomaly",
        "iot.rulefiring",
        "iot.datastream",
        "iot.deadreading",
        "iot.devicecredential",
        "iot.deviceoutage",
        "iot.batteryday",
        "iot.crowdresult",
        "iot.crowdrun",
        "iot.insight",
        "iot.profilefit",
        "iot.riskmaking",
        "iot.zonerisk",
        "patrol.assignment",
        "patrol.assignmentlog",
        "patrol.fieldaction",
        "patrol.recommendation",
        "patrol.aidrequest",
        "patrol.position",
        "patrol.unitposition",
        "patrol.fencevisit",
        "patrol.duty",
        "patrol.plan",
        "patrol.planroute",
        "patrol.planstop",
        "patrol.planchange",
        "patrol.coveragestudy",
        "patrol.roadnetwork",
        "patrol.stopdosage",
        "patrol.trial",
        "patrol.trialcell",
        "patrol.trialpresence",
        "patrol.unitday",
        "patrol.sos",
        "patrol.welfarecheck",
        "patrol.shiftpack",
        "alerts.alert",
        "alerts.alertlog",
        "alerts.occurrence",
        "alerts.heldfiring",
        "alerts.ruleversion",
        "alerts.ruleproposal",
        "alerts.rulereplay",
        "alerts.escalationrun",
        "alerts.steprun",
        "alerts.heartbeat",
        "alerts.page",
        "alerts.delivery",
        "alerts.deliveryattempt",
        "alerts.receipt",
        "alerts.pushsubscription",
        "alerts.shiftswap",
    }
)
# Others lean on these for good: they are taken out of use, never removed.
_NEVER_REMOVED = frozenset(
    {
        "accounts.user",
        "incidents.incident",
        "incidents.importrun",
        "incidents.rejectedrow",
        "incidents.source",
        "geography.zone",
        "interop.partner",
        "interop.partnerkey",
        "interop.webhooksubscription",
        "interop.sharingagreement",
        "interop.externalsystem",
        "iot.device",
        "iot.telemetryrule",
        "iot.deviceprofile",
        "patrol.station",
        "patrol.vehicle",
        "patrol.team",
        "patrol.unit",
        "patrol.member",
        "patrol.shift",
        "patrol.rosterentry",
        "alerts.alertrule",
        "alerts.escalationpolicy",
        "alerts.oncallschedule",
        "alerts.contact",
    }
)
_CLERKS_MAY_EDIT: dict[str, frozenset[str]] = {
    "incidents.incident": _EDIT,
    "incidents.incidenttype": _EDIT,
    "incidents.typemapping": _ALL,
    "incidents.severitymapping": _ALL,
    "incidents.source": _EDIT,
    "incidents.rejectedrow": frozenset({"view", "change"}),
    "incidents.importrun": frozenset({"view", "add", "change"}),
    "interop.sharingagreement": _EDIT,
    "interop.externalsystem": _EDIT,
    "iot.device": _EDIT,
    "iot.devicegroup": _EDIT,
    "iot.deviceprofile": _EDIT,
    "iot.metric": _EDIT,
    "iot.detectorsetting": _ALL,
    "iot.telemetryrule": _EDIT,
    "patrol.station": _EDIT,
    "patrol.vehicle": _EDIT,
    "patrol.team": _EDIT,
    "patrol.unit": _EDIT,
    "patrol.member": _EDIT,
    "patrol.zoneassignment": _EDIT,
    "patrol.shiftpattern": _EDIT,
    "patrol.shift": _EDIT,
    "patrol.rosterentry": _EDIT,
    "patrol.leave": _EDIT,
    "patrol.runcard": _ALL,
    "patrol.runcardline": _ALL,
    "patrol.responsetarget": _EDIT,
    "patrol.mutualaid": _EDIT,
    "patrol.geofence": _ALL,
    "patrol.roadclosure": _EDIT,
    "alerts.alertrule": _EDIT,
    "alerts.specialperiod": _ALL,
    "alerts.silence": _EDIT,
    "alerts.inhibition": _ALL,
    "alerts.escalationpolicy": _EDIT,
    "alerts.policystep": _ALL,
    "alerts.oncallschedule": _EDIT,
    "alerts.oncalllayer": _ALL,
    "alerts.layermember": _ALL,
    "alerts.oncalloverride": _EDIT,
    "alerts.contact": _EDIT,
    "alerts.contactmethod": _ALL,
    "alerts.notificationrule": _ALL,
    "alerts.preferences": _EDIT,
    "alerts.messagetemplate": _ALL,
    "alerts.channelhealth": frozenset({"view", "change"}),
}
_ANALYSTS_MAY_EDIT = frozenset(
    {"incidents.typemapping", "incidents.severitymapping", "incidents.importrun", "incidents.rejectedrow", "alerts.alertrule"}
)


def admin_actions(role: str, model_label: str) -> frozenset[str]:
    """Which of view, add, change, delete ``role`` has on ``model_label`` ("app.model") in the command centre."""
    if role not in ADMIN_ROLES:
        return frozenset()
    if role == Role.AUDITOR:
        return _READ
    if model_label in _PRIVATE:
        return _READ if role == Role.SUPERADMIN else frozenset()
    if model_label == "interop.readrecord" and role == Role.ANALYST:  # who read what is no matter of analysis
        return frozenset()
    if model_label in _WRITTEN_BY_SERVICES:
        return _READ
    if role == Role.SUPERADMIN:
        return _EDIT if model_label in _NEVER_REMOVED else _ALL
    if model_label.startswith(("interop.partnerkey", "accounts.user", "sessions.")):
        return frozenset() if role == Role.ANALYST else _READ
    if role == Role.SUPERVISOR:
        return _CLERKS_MAY_EDIT.get(model_label, _READ)
    return (_CLERKS_MAY_EDIT[model_label] - {"delete"}) if model_label in _ANALYSTS_MAY_EDIT else _READ
