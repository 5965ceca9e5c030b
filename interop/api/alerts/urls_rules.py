from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.alerts.rules import (
    RuleActivate,
    RuleDetail,
    RuleDropChange,
    RuleList,
    RuleReplays,
    RuleSendBack,
    RuleSubmit,
    RuleSwitchOff,
    RuleVersions,
)

_ONE = "alert-rules/<slug:code>"

urlpatterns: list[URLPattern] = [
    path("alert-rules", RuleList.as_view(), name="api-alert-rules"),
    path(_ONE, RuleDetail.as_view(), name="api-alert-rule"),
    path(f"{_ONE}/submit", RuleSubmit.as_view(), name="api-alert-rule-submit"),
    path(f"{_ONE}/activate", RuleActivate.as_view(), name="api-alert-rule-activate"),
    path(f"{_ONE}/send-back", RuleSendBack.as_view(), name="api-alert-rule-send-back"),
    path(f"{_ONE}/drop-change", RuleDropChange.as_view(), name="api-alert-rule-drop-change"),
    path(f"{_ONE}/switch-off", RuleSwitchOff.as_view(), name="api-alert-rule-switch-off"),
    path(f"{_ONE}/versions", RuleVersions.as_view(), name="api-alert-rule-versions"),
    path(f"{_ONE}/replays", RuleReplays.as_view(), name="api-alert-rule-replays"),
]
