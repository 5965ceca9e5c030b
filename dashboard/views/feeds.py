"""How good what each agency sends is: all feeds at a glance, and one with its reasons."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from dashboard.answers import fresh, person_of
from dashboard.feeds import lines_of, page_of
from incidents.analytics.feed_quality import LEAST, TIMELY_MIN, WEIGHTS
from incidents.permissions import may_see_feeds


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    lines = lines_of(_person(request), timezone.now())
    return fresh(request, "dashboard/feeds.html", {"lines": lines, **_KNOWN})


@login_required
@require_safe
def one(request: HttpRequest, slug: str) -> HttpResponse:
    found = page_of(_person(request), slug, timezone.now())
    if found is None:
        raise Http404(_("There is no such feed."))
    return fresh(request, "dashboard/feed.html", {"page": found, "line": found.line, **_KNOWN})


_KNOWN = {"least": LEAST, "timely": TIMELY_MIN, "weights": WEIGHTS}


def _person(request: HttpRequest) -> User:
    person = person_of(request)
    if not may_see_feeds(person):
        raise PermissionDenied(_("Your role does not allow this."))
    return person
