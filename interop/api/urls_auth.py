from __future__ import annotations

from django.urls import path

from interop.api.people import Me, Register, TokenIssue, TokenRenewal, TokenRevocation

urlpatterns = [
    path("token", TokenIssue.as_view(), name="api-auth-token"),
    path("refresh", TokenRenewal.as_view(), name="api-auth-refresh"),
    path("revoke", TokenRevocation.as_view(), name="api-auth-revoke"),
    path("me", Me.as_view(), name="api-auth-me"),
    path("register", Register.as_view(), name="api-auth-register"),
]
