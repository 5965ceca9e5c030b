from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import alert_oncall as views

urlpatterns: list[URLPattern] = [
    path("alerts/oncall/", views.page, name="oncall"),
    path("alerts/oncall/<int:pk>/override/", views.override, name="oncall-override"),
    path("alerts/oncall/overrides/<int:pk>/cancel/", views.override_cancel, name="oncall-override-cancel"),
    path("alerts/oncall/<int:pk>/swap/", views.swap, name="oncall-swap"),
    path("alerts/oncall/swaps/<int:pk>/take/", views.swap_take, name="oncall-swap-take"),
    path("alerts/oncall/swaps/<int:pk>/decline/", views.swap_decline, name="oncall-swap-decline"),
    path("alerts/oncall/swaps/<int:pk>/withdraw/", views.swap_withdraw, name="oncall-swap-withdraw"),
    path("alerts/oncall/<int:pk>/feed/", views.feed, name="oncall-feed"),
    path("oncall/<str:key>.ics", views.ics, name="oncall-ics"),
]
