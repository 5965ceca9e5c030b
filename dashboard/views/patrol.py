"""The door to patrol: an officer's own shift, everybody else's boards."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from dashboard.context_processors import Shell

_FIRST = {True: ("shift", "units", "board"), False: ("units", "plans", "board")}


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    user = Shell(request).user
    for name in _FIRST[user is not None and user.can("act_in_field") and not user.can("dispatch")]:
        try:
            return redirect(reverse(name))
        except NoReverseMatch:
            continue
    return redirect("board")
