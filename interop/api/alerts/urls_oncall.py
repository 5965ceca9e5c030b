from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.alerts import oncall

urlpatterns: list[URLPattern] = [
    path("oncall/now", oncall.Now.as_view(), name="api-oncall-now"),
    path("oncall/schedules", oncall.ScheduleList.as_view(), name="api-oncall-schedules"),
    path("oncall/schedules/<int:pk>", oncall.ScheduleDetail.as_view(), name="api-oncall-schedule"),
    path("oncall/schedules/<int:pk>/spans", oncall.Spans.as_view(), name="api-oncall-spans"),
    path("oncall/schedules/<int:pk>/gaps", oncall.Gaps.as_view(), name="api-oncall-gaps"),
    path("oncall/schedules/<int:pk>/overrides", oncall.OverrideList.as_view(), name="api-oncall-overrides"),
    path("oncall/overrides/<int:pk>/cancel", oncall.OverrideCancel.as_view(), name="api-oncall-override-cancel"),
    path("oncall/schedules/<int:pk>/swaps", oncall.SwapList.as_view(), name="api-oncall-swaps"),
    path("oncall/swaps/<int:pk>/take", oncall.SwapTake.as_view(), name="api-oncall-swap-take"),
    path("oncall/swaps/<int:pk>/decline", oncall.SwapDecline.as_view(), name="api-oncall-swap-decline"),
    path("oncall/swaps/<int:pk>/withdraw", oncall.SwapWithdraw.as_view(), name="api-oncall-swap-withdraw"),
]
