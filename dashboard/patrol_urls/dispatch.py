from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.urls import REF
from dashboard.views import aid, dispatch, intervals, tasks

PK, VERB = r"(?P<pk>[0-9]{1,18})", r"(?P<verb>accepted|en_route|on_scene|done|cancel|reassign)"

urlpatterns: list[URLPattern] = [
    re_path(rf"^incidents/{REF}/dispatch/$", dispatch.section, name="incident-dispatch"),
    re_path(rf"^incidents/{REF}/dispatch/units/$", dispatch.units, name="incident-dispatch-units"),
    re_path(rf"^incidents/{REF}/dispatch/ask/$", dispatch.ask, name="incident-ask"),
    re_path(rf"^incidents/{REF}/dispatch/send/$", dispatch.send, name="incident-send"),
    re_path(rf"^incidents/{REF}/dispatch/{PK}/{VERB}/$", dispatch.step, name="incident-dispatch-step"),
    path("patrol/tasks/", tasks.page, name="tasks"),
    path("patrol/tasks/list/", tasks.listed, name="tasks-list"),
    path("patrol/tasks/new/", tasks.new, name="tasks-new"),
    path("patrol/tasks/hand-over/", tasks.hand_over, name="tasks-hand-over"),
    re_path(rf"^patrol/tasks/{PK}/{VERB}/$", tasks.step, name="tasks-step"),
    path("patrol/intervals/", intervals.page, name="intervals"),
    path("patrol/intervals.csv", intervals.file, name="intervals-csv"),
    path("patrol/aid/", aid.page, name="aid"),
    path("patrol/aid/agreements/", aid.propose, name="aid-propose"),
    re_path(rf"^patrol/aid/agreements/{PK}/(?P<verb>consent|end)/$", aid.agreement_step, name="aid-agreement"),
    re_path(rf"^incidents/{REF}/aid/$", aid.ask, name="incident-aid"),
    re_path(rf"^patrol/aid/{PK}/$", aid.shared, name="aid-shared"),
    re_path(rf"^patrol/aid/{PK}/(?P<verb>grant|refuse|end)/$", aid.answer, name="aid-answer"),
    re_path(rf"^patrol/aid/{PK}/send/$", aid.send, name="aid-send"),
]
