from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import alert_people as views

urlpatterns: list[URLPattern] = [
    path("alerts/me/", views.mine, name="mypages"),
    path("alerts/people/<int:pk>/", views.person, name="mypages-person"),
    re_path(rf"^alerts/people/(?P<pk>\d{{1,18}})/(?P<verb>{views.VERBS})/$", views.act, name="mypages-act"),
    path("alerts/contacts/", views.listed, name="contacts"),
]
