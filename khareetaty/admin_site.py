"""The command centre: Django's admin, on our own site."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _


class CommandCentre(AdminSite):
    site_title = _("Khareetaty")
    site_header = _("Khareetaty command centre")
    index_title = _("Command centre")
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Roles decide: ``accounts.roles.ADMIN_ROLES``."""
        return getattr(request.user, "is_staff", False)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one door to sign in; somebody inside whose role does not admit them is told so."""
        from django.contrib.auth.views import redirect_to_login  # the apps are not loaded when this module is

        try:
            door = reverse("sign-in")
        except NoReverseMatch:
            return super().login(request, extra_context)
        if request.user.is_authenticated:
            if not self.has_permission(request):
                raise PermissionDenied(_("Your role does not enter the command centre."))
            return redirect_to_login(reverse("admin:index"), door)
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"), door)


class CommandCentreConfig(AdminConfig):
    default_site = "khareetaty.admin_site.CommandCentre"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin

        from khareetaty.admin_others import register_others

        register_others(admin.site)
