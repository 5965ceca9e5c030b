from interop.models.corrections import Correction
from interop.models.inbox import InboxMessage
from interop.models.jobs import BatchJob, BatchRow
from interop.models.partners import Feed, Kind, Partner, PartnerKey, Precision, Scope
from interop.models.webhooks import ErrorClass, WebhookAttempt, WebhookDelivery, WebhookSecret, WebhookSubscription

__all__ = [
    "BatchJob",
    "BatchRow",
    "Correction",
    "ErrorClass",
    "Feed",
    "InboxMessage",
    "Kind",
    "Partner",
    "PartnerKey",
    "Precision",
    "Scope",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookSecret",
    "WebhookSubscription",
]
