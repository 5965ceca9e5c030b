"""Telling people: pages climb their rungs, deliveries are handed over and followed by their receipts, answers acknowledge.

``page_person`` and ``cancel_pages`` join the caller's transaction; ``climb_due`` and ``send_due`` are what the pager (and beat, as the
second path) calls over and over: the rows are the queue.
"""

from alerts.services.delivery.climbing import climb_due
from alerts.services.delivery.figures import ChannelFigure, channel_figures
from alerts.services.delivery.links import acknowledge_by_link, page_of, signed_link
from alerts.services.delivery.notices import tell, tell_resolved_by_time
from alerts.services.delivery.paging import cancel_pages, page_person
from alerts.services.delivery.receipts import apply_receipt, seen
from alerts.services.delivery.retrying import retry
from alerts.services.delivery.sending import send_due
from alerts.services.delivery.template_seeds import ensure_default_templates
from alerts.services.delivery.templates import preview, remove_template, save_template

__all__ = [
    "ChannelFigure",
    "acknowledge_by_link",
    "apply_receipt",
    "cancel_pages",
    "channel_figures",
    "climb_due",
    "ensure_default_templates",
    "page_of",
    "page_person",
    "preview",
    "remove_template",
    "retry",
    "save_template",
    "seen",
    "send_due",
    "signed_link",
    "tell",
    "tell_resolved_by_time",
]
