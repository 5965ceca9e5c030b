from __future__ import annotations

from django.urls import URLPattern, re_path

from dashboard.urls import REF
from dashboard.views import dispatch

PK, VERB = r"(?P<pk>[0-9]{1,18})", r"(?P<verb>accepted|en_route|on_scene|done|cancel|reassign)"

urlpatterns: list[URLPattern] = [
    re_path(rf"^incidents/{REF}/dispatch/$", dispatch.section, name="incident-dispatch"),
    re_path(rf"^incidents/{REF}/dispatch/units/$", dispatch.units, name="incident-dispatch-units"),
    re_path(rf"^incidents/{REF}/dispatch/ask/$", dispatch.ask, name="incident-ask"),
    re_path(rf"^incidents/{REF}/dispatch/send/$", dispatch.send, name="incident-send"),
    re_path(rf"^incidents/{REF}/dispatch/{PK}/{VERB}/$", dispatch.step, name="incident-dispatch-step"),
]
