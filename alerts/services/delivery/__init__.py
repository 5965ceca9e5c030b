"""Telling people: pages climb their rungs, deliveries are handed over and followed by their receipts, answers acknowledge.

``page_person`` and ``cancel_pages`` join the caller's transaction; ``climb_due`` and ``send_due`` are what the pager (and beat, as the
second path) calls over and over: the rows are the queue.
"""

from alerts.services.delivery.climbing import climb_due
from alerts.services.delivery.links import signed_link
from alerts.services.delivery.paging import cancel_pages, page_person
from alerts.services.delivery.receipts import apply_receipt, seen
from alerts.services.delivery.sending import send_due

__all__ = ["apply_receipt", "cancel_pages", "climb_due", "page_person", "seen", "send_due", "signed_link"]
