"""What the pages' doors answer with, and what they read out of a form: one way for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.models import User
from core.pdf import PdfFailed

MAX_PK = 2**63 - 1


def fresh(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A page or a part of one, kept by nobody on the way."""
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def pdf_file(make: Callable[[], bytes], name: str) -> HttpResponse:
    """The document ``make`` draws, to be saved as ``name``; where it cannot be drawn just now, a sentence that says so."""
    try:
        made = make()
    except PdfFailed:
        message = _("The PDF could not be made just now. Try again in a minute, or print the page.")
        response = HttpResponse(message, status=503, content_type="text/plain; charset=utf-8")
        response["Retry-After"] = "60"
        return response
    response = HttpResponse(made, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def person_of(request: HttpRequest) -> User:
    """Whoever is signed in; for doors that let nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def row_id(text: str) -> int:
    """A key or a count out of a form; what is none is 0, which names no row."""
    return min(int(text), MAX_PK) if text.isascii() and text.isdigit() and len(text) < 20 else 0
