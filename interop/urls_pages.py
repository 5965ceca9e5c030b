from __future__ import annotations

from django.urls import path, re_path

from interop import pages

urlpatterns = [
    path("sharing/", pages.agreements, name="sharing"),
    path("sharing/reads/", pages.reads, name="sharing-reads"),
    re_path(r"^sharing/(?P<pk>[0-9]{1,18})/$", pages.agreement, name="sharing-agreement"),
    re_path(r"^sharing/(?P<pk>[0-9]{1,18})/(?P<verb>sign|revoke)/$", pages.act, name="sharing-act"),
]
