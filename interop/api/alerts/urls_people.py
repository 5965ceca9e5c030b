from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.alerts import people

urlpatterns: list[URLPattern] = [
    path("alerts/me", people.Mine.as_view(), name="api-alerts-me"),
    path("alerts/me/methods", people.MethodAdd.as_view(), name="api-alerts-me-methods"),
    path("alerts/me/methods/<int:pk>", people.MethodDetail.as_view(), name="api-alerts-me-method"),
    path("alerts/me/methods/<int:pk>/code", people.MethodCode.as_view(), name="api-alerts-me-code"),
    path("alerts/me/methods/<int:pk>/prove", people.MethodProve.as_view(), name="api-alerts-me-prove"),
    path("alerts/me/ladder", people.Ladder.as_view(), name="api-alerts-me-ladder"),
    path("alerts/me/quiet-hours", people.QuietHours.as_view(), name="api-alerts-me-quiet-hours"),
    path("alert-contacts", people.ContactList.as_view(), name="api-alert-contacts"),
    path("alert-contacts/<int:pk>", people.ContactDetail.as_view(), name="api-alert-contact"),
    path("alert-contacts/<int:pk>/methods", people.ContactAddresses.as_view(), name="api-alert-contact-methods"),
    path("alert-contacts/<int:pk>/methods/<int:method>", people.ContactAddress.as_view(), name="api-alert-contact-method"),
]
