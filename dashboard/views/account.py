"""Signing in and out, and the choice of language and theme."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.sign_in import keep_preferences, name_for_lockout
from core.api.errors import plain_problem
from core.middleware import network_address
from dashboard.context_processors import THEME_COOKIE

A_YEAR_S = 365 * 24 * 3600


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("User name and password do not go together. Check both; the password minds capitals."),
        "inactive": _("User name and password do not go together. Check both; the password minds capitals."),
    }


class SignIn(auth_views.LoginView):
    template_name = "registration/sign_in.html"
    form_class = SignInForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if isinstance(user, User) and request.method == "GET":
            target = self.get_success_url()
            if target.startswith(resolve_url("admin:index")) and not user.is_staff:
                raise PermissionDenied(str(_("Your role does not open the command centre.")))
            return HttpResponseRedirect(target if target != request.path else resolve_url(settings.LOGIN_REDIRECT_URL))
        return cast(HttpResponse, super().dispatch(request, *args, **kwargs))

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        user = form.get_user()
        assert isinstance(user, User)
        # The person's own language from here on; ``LocaleMiddleware`` reads the cookie.
        _remember(response, settings.LANGUAGE_COOKIE_NAME, user.language)
        return response


class SignOut(auth_views.LogoutView):
    http_method_names = ["post", "options"]


@sensitive_post_parameters()
def locked_out(
    request: HttpRequest, response: HttpResponseBase | None = None, credentials: Mapping[str, Any] | None = None
) -> HttpResponse:
    """The answer after too many failures: the form again, with how long to wait. The same for a name that does not exist."""
    wait = _time_to_wait(request, credentials)
    minutes = max(1, math.ceil(wait.total_seconds() / 60))
    if request.path.startswith("/api/"):
        refusal = plain_problem(request, status=429, detail=str(_("Too many wrong passwords. Wait before you try again.")))
        refusal["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
        return refusal
    form = SignInForm(request, initial={"username": request.POST.get("username", "")[:64]})
    answer = render(request, SignIn.template_name, {"form": form, "locked_minutes": minutes, "next": safe_next(request)}, status=429)
    answer["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
    answer["Cache-Control"] = "no-store"
    return answer


def _time_to_wait(request: HttpRequest, credentials: Mapping[str, Any] | None) -> timedelta:
    cool_off: timedelta = get_cool_off(request) or timedelta(minutes=15)
    last = (
        AccessAttempt.objects.filter(username=name_for_lockout(request, credentials), ip_address=network_address(request))
        .order_by("-attempt_time")
        .values_list("attempt_time", flat=True)
        .first()
    )
    left = cool_off if last is None else last + cool_off - timezone.now()
    return min(max(left, timedelta(seconds=1)), cool_off)


def safe_next(request: HttpRequest) -> str:
    """Where the form says to go on, if that is a page of ours."""
    target = request.POST.get("next", request.GET.get("next", ""))
    if len(target) <= 2000 and url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return ""


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    language = request.POST.get("language", "")
    response = HttpResponseRedirect(safe_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))
    if translation.check_for_language(language) and language in User.Language.values:
        if isinstance(request.user, User):
            keep_preferences(user=request.user, language=language)
        _remember(response, settings.LANGUAGE_COOKIE_NAME, language)
    return response


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    response = HttpResponseRedirect(safe_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))
    if theme in User.Theme.values:
        if isinstance(request.user, User):
            keep_preferences(user=request.user, theme=theme)
        _remember(response, THEME_COOKIE, theme)
    return response


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=A_YEAR_S, secure=settings.HTTPS_ONLY, samesite="Lax", httponly=True)
