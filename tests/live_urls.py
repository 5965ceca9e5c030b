"""The product's addresses, and a bare page that follows the log with the product's own module: a list and nothing else."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path

from core.events import log_head
from incidents.models import Incident
from khareetaty.urls import urlpatterns as product

PAGE = """<!doctype html><html lang="en"><title>Live</title><script type="module" src="/test/page.js"></script>
<body data-room="{room}"><p id="state"></p><ol id="list" data-live-head="{head}">{cards}</ol></body></html>"""

SCRIPT = """
import { connectLive } from "/static/js/live.js";
const list = document.querySelector("#list"), room = encodeURIComponent(document.body.dataset.room);
window.heard = []; window.states = []; window.resets = 0;
window.live = connectLive({
  url: `/ws/live?room=${room}`, pollUrl: `/live/events?room=${room}`, after: Number(list.dataset.liveHead),
  onEvent(event) {
    window.heard.push(event.seq);
    if (event.id === null) return;
    document.getElementById(`incident-${event.id}`)?.remove();
    if (event.open) list.insertAdjacentHTML("afterbegin", event.html);
  },
  onState(state) { window.states.push(state); document.querySelector("#state").textContent = state.state; },
  async onReset() {
    window.resets += 1;
    const fresh = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html").querySelector("#list");
    list.replaceChildren(...fresh.children);
    window.live.rewind(Number(fresh.dataset.liveHead));
  },
});
"""


@login_required
def live_page(request: HttpRequest) -> HttpResponse:
    head = log_head()
    rows = Incident.objects.visible_to(request.user).open().for_card()
    cards = "".join(render_to_string("dashboard/_card.html", {"incident": incident}) for incident in rows)
    return HttpResponse(PAGE.format(room=request.GET.get("room", "all"), head=head, cards=cards))


def live_script(request: HttpRequest) -> HttpResponse:
    return HttpResponse(SCRIPT, content_type="text/javascript")


urlpatterns = [path("test/page", live_page), path("test/page.js", live_script), *product]
