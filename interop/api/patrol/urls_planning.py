from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol import coverage_api as coverage
from interop.api.patrol import plans_api as plans

urlpatterns: list[URLPattern] = [
    path("hotspots/predicted", plans.PredictedHotspots.as_view(), name="api-patrol-hotspots"),
    path("routes/recommended", plans.RecommendedRoutes.as_view(), name="api-patrol-routes"),
    path("plans", plans.PlanList.as_view(), name="api-patrol-plans"),
    path("plans/<int:pk>", plans.PlanDetail.as_view(), name="api-patrol-plan"),
    path("plans/<int:pk>/diff/<int:before>", plans.PlanDiff.as_view(), name="api-patrol-plan-diff"),
    path("plans/<int:pk>/changes", plans.PlanChangeView.as_view(), name="api-patrol-plan-change"),
    path("plans/<int:pk>/review", plans.PlanReview.as_view(), name="api-patrol-plan-review"),
    path("plans/<int:pk>/publish", plans.PlanPublish.as_view(), name="api-patrol-plan-publish"),
    path("plans/<int:pk>/discard", plans.PlanDiscard.as_view(), name="api-patrol-plan-discard"),
    path("plans/<int:pk>/replan", plans.PlanReplan.as_view(), name="api-patrol-plan-replan"),
    path("coverage/gaps", coverage.CoverageGaps.as_view(), name="api-patrol-gaps"),
    path("coverage/move-up", coverage.MoveUpView.as_view(), name="api-patrol-move-up"),
    path("coverage/studies", coverage.StudyList.as_view(), name="api-patrol-studies"),
    path("coverage/studies/make", coverage.StudyMake.as_view(), name="api-patrol-study-make"),
    path("coverage/studies/<int:pk>", coverage.StudyDetail.as_view(), name="api-patrol-study"),
    path("coverage/what-if", coverage.WhatIfMake.as_view(), name="api-patrol-what-if"),
]
