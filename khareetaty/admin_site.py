"""The command centre: Django's admin, on our own site."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from core.errors import DomainError


class CommandCentre(AdminSite):
    site_title = _("Khareetaty")
    site_header = _("Khareetaty command centre")
    index_title = _("Command centre")
    site_url = "/"
    enable_nav_sidebar = False

    def get_urls(self) -> Any:
        return [
            path("panels/", self.admin_view(self.panels), name="centre-panels"),
            path("run-pipeline/", self.admin_view(require_POST(self.run_pipeline)), name="run-pipeline"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {"centre": _centre_of(request), **(extra_context or {})})

    def panels(self, request: HttpRequest) -> HttpResponse:
        """What the first page asks for again when something has happened."""
        return render(request, "admin/_panels.html", {"centre": _centre_of(request)})

    def run_pipeline(self, request: HttpRequest) -> HttpResponse:
        from incidents.services.pipeline import request_pipeline_run

        try:
            request_pipeline_run(by=request.user)  # type: ignore[arg-type]
        except DomainError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, _("The analytics run. Their results appear here and on the map."))
        return HttpResponseRedirect(reverse("admin:index"))

    def has_permission(self, request: HttpRequest) -> bool:
        """Roles decide: ``accounts.roles.ADMIN_ROLES``."""
        return getattr(request.user, "is_staff", False)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one door to sign in; it tells those inside whose role does not admit them."""
        from django.contrib.auth.views import redirect_to_login  # the apps are not loaded when this module is

        return redirect_to_login(request.GET.get("next") or reverse("admin:index"), reverse("sign-in"))


def _centre_of(request: HttpRequest) -> Any:
    from dashboard.command_centre import command_centre  # the apps are not loaded when this module is

    return command_centre(request.user)  # type: ignore[arg-type]


class CommandCentreConfig(AdminConfig):
    default_site = "khareetaty.admin_site.CommandCentre"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin

        from khareetaty.admin_others import register_others

        register_others(admin.site)
