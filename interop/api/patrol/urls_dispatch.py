from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol import advice, aid, assignments, intervals

urlpatterns: list[URLPattern] = [
    path("assignments", assignments.AssignmentList.as_view(), name="api-patrol-assignments"),
    path("assignments/hand-over", assignments.AssignmentsHandOver.as_view(), name="api-patrol-assignments-hand-over"),
    path("assignments/<int:pk>", assignments.AssignmentDetail.as_view(), name="api-patrol-assignment"),
    path("assignments/<int:pk>/move", assignments.AssignmentMove.as_view(), name="api-patrol-assignment-move"),
    path("assignments/<int:pk>/cancel", assignments.AssignmentCancel.as_view(), name="api-patrol-assignment-cancel"),
    path("assignments/<int:pk>/reassign", assignments.AssignmentReassign.as_view(), name="api-patrol-assignment-reassign"),
    path("recommendations", advice.RecommendationList.as_view(), name="api-patrol-recommendations"),
    path("recommendations/<int:pk>", advice.RecommendationDetail.as_view(), name="api-patrol-recommendation"),
    path("run-cards", advice.RunCardList.as_view(), name="api-patrol-run-cards"),
    path("units/states", advice.UnitStateList.as_view(), name="api-patrol-unit-states"),
    path("aid/agreements", aid.AgreementList.as_view(), name="api-patrol-aid-agreements"),
    path("aid/requests", aid.AidRequestList.as_view(), name="api-patrol-aid-requests"),
    path("aid/requests/<int:pk>/answer", aid.AidRequestAnswer.as_view(), name="api-patrol-aid-request-answer"),
    path("aid/requests/<int:pk>/end", aid.AidRequestEnd.as_view(), name="api-patrol-aid-request-end"),
    path("intervals", intervals.IntervalsView.as_view(), name="api-patrol-intervals"),
]
