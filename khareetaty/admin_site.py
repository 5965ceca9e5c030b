"""The command centre: Django's admin, on our own site."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class CommandCentre(AdminSite):
    site_title = _("Khareetaty")
    site_header = _("Khareetaty command centre")
    index_title = _("Command centre")


class CommandCentreConfig(AdminConfig):
    default_site = "khareetaty.admin_site.CommandCentre"
