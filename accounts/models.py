"""Agencies and the people who work for them."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.jurisdiction import Jurisdiction
from accounts.querysets import UserManager
from accounts.roles import ADMIN_ROLES, CAPABILITIES, Role, admin_actions


class Agency(models.Model):
    """A body that reports or answers: police, fire, ambulance, municipality, traffic."""

    class Kind(models.TextChoices):
        POLICE = "police", _("Police")
        FIRE = "fire", _("Fire")
        EMS = "ems", _("Emergency medical services")
        MUNICIPALITY = "municipality", _("Municipality")
        TRAFFIC = "traffic", _("Traffic")
        OTHER = "other", _("Other")

    slug = models.SlugField(max_length=32, unique=True, verbose_name=_("short name"))
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.OTHER, verbose_name=_("kind"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))

    class Meta:
        verbose_name = _("agency")
        verbose_name_plural = _("agencies")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_ar if (get_language() or "").startswith("ar") else self.name_en


class User(AbstractBaseUser):
    """A person who signs in. Their role says what they may do, their agency and governorates where."""

    class Theme(models.TextChoices):
        DARK = "dark", _("Dark")
        LIGHT = "light", _("Light")
        SYSTEM = "system", _("As the device")

    class Language(models.TextChoices):
        ARABIC = "ar", "العربية"
        ENGLISH = "en", "English"

    username = models.CharField(max_length=64, unique=True, verbose_name=_("user name"))
    full_name = models.CharField(max_length=120, blank=True, verbose_name=_("full name"))
    email = models.EmailField(blank=True, verbose_name=_("e-mail"))
    role = models.CharField(max_length=16, choices=Role, default=Role.OFFICER, verbose_name=_("role"))
    agency = models.ForeignKey(Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="people", verbose_name=_("agency"))
    sees_all_agencies = models.BooleanField(default=False, verbose_name=_("sees every agency"))
    governorates = models.ManyToManyField(
        "geography.Zone", blank=True, related_name="+", limit_choices_to={"level": "governorate"}, verbose_name=_("governorates")
    )
    sees_all_governorates = models.BooleanField(default=False, verbose_name=_("sees every governorate"))
    language = models.CharField(max_length=2, choices=Language, default=Language.ARABIC, verbose_name=_("language"))
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.DARK, verbose_name=_("theme"))
    is_active = models.BooleanField(default=True, verbose_name=_("active"))
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created at"))

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="user_username_any_case", violation_error_message=_("This user name is taken.")
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="user_role_known", violation_error_message=_("Unknown role.")
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.username

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.username

    @cached_property
    def jurisdiction(self) -> Jurisdiction:
        if not self.is_active:
            return Jurisdiction.nothing()
        agencies = None if self.sees_all_agencies else frozenset([self.agency_id] if self.agency_id else [])
        places = None if self.sees_all_governorates else frozenset(self.governorates.values_list("pk", flat=True))
        return Jurisdiction(agencies, places)

    def can(self, verb: str) -> bool:
        return self.is_active and verb in CAPABILITIES.get(self.role, frozenset())

    # What Django's admin asks.
    @property
    def is_staff(self) -> bool:
        return self.is_active and self.role in ADMIN_ROLES

    @property
    def is_superuser(self) -> bool:
        return self.is_active and self.role == Role.SUPERADMIN

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        if not self.is_staff:
            return False
        app, _dot, codename = perm.partition(".")
        action, _underscore, model = codename.partition("_")
        return action in admin_actions(self.role, f"{app}.{model}")

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff

    # What the audit trail asks.
    audit_kind = "user"

    @property
    def audit_name(self) -> str:
        return self.username


class TokenSession(models.Model):
    """A sign-in for tokens: what a person's access and refresh tokens belong to, and what every request asks. No token is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_sessions", verbose_name=_("user"))
    refresh_id = models.UUIDField(editable=False)  # of the one refresh token that is good now
    auth_hash = models.CharField(max_length=128, editable=False)  # of the password it was opened with
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created at"))
    refreshed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("refreshed at"))
    expires_at = models.DateTimeField(verbose_name=_("expires at"))
    revoked_at = models.DateTimeField(null=True, blank=True, verbose_name=_("revoked at"))
    address = models.GenericIPAddressField(null=True, blank=True, verbose_name=_("network address"))
    agent = models.CharField(max_length=200, blank=True, verbose_name=_("program"))

    class Meta:
        verbose_name = _("token sign-in")
        verbose_name_plural = _("token sign-ins")
        ordering = ["-created_at"]
        indexes = [
            # "Where is this person signed in?"
            models.Index(fields=["user", "-created_at"], name="token_session_by_user")
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def holds(self) -> bool:
        """Neither revoked nor over, its person's account is active and the password is the one it was opened with."""
        if self.revoked_at is not None or self.expires_at <= timezone.now() or not self.user.is_active:
            return False
        return constant_time_compare(self.auth_hash, self.user.get_session_auth_hash())
