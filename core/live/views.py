"""The same frames by ordinary requests, for a page whose sockets do not get through."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.live import pushes
from core.live.hub import head_and_lag_s
from core.live.pushes import REPLAY_LIMIT

MOST_EVENTS = 200


@require_safe
@never_cache
def live_events(request: HttpRequest) -> HttpResponse:
    """``GET /live/events?after=<seq>&room=…``: what a socket would have sent, ending with a beat that says how far that reaches."""
    user = request.user
    if not user.is_authenticated:
        return JsonResponse({"error": _("Sign in.")}, status=401)
    room = pushes.presenter().room(user, request.GET.get("room", "all"))
    if room is None:
        return JsonResponse({"error": _("There is no such room.")}, status=404)
    after = pushes.seq_from(request.GET.get("after", ""))
    if after is None:
        return JsonResponse({"error": _("“after” is the number of the last event seen.")}, status=400)
    language = pushes.language_of(request.GET.get("lang", ""), user)
    head, lag_s = head_and_lag_s()
    until = min(head, after + MOST_EVENTS)
    news = pushes.read_pushes(after=after, until=until, languages=[language]) if 0 <= head - after <= REPLAY_LIMIT else None
    frames: list[str] = []
    if news is None:
        frames.append(pushes.reset(head=head))
        after = until = head
    for push in news or []:
        if push.shown is not None and push.shown.starts_over:
            frames.append(pushes.reset(head=push.seq))
            after = push.seq
        elif push.admitted(user.jurisdiction, room):
            frames.append(push.frame(prev=after, language=language))
            after = push.seq
    frames.append(pushes.beat(head=until, prev=after, lag_s=lag_s))
    return HttpResponse(f'{{"frames":[{",".join(frames)}]}}', content_type="application/json")
