from interop.models.cap import CapMessage
from interop.models.corrections import Correction
from interop.models.inbox import InboxMessage, InboxRepeat
from interop.models.jobs import BatchJob, BatchRow
from interop.models.limits import KeyUsage, RateOverride, RatePlan, RequestLog
from interop.models.partners import Feed, Kind, Partner, PartnerKey, Precision
from interop.models.sharing import AgreementVersion, Part, ReadRecord, SharingAgreement, Signature, Standing
from interop.models.systems import ExternalSystem, SystemProbe
from interop.models.webhooks import ErrorClass, WebhookAttempt, WebhookDelivery, WebhookSecret, WebhookSubscription
from interop.scopes import Scope

__all__ = [
    "AgreementVersion",
    "BatchJob",
    "BatchRow",
    "CapMessage",
    "Correction",
    "ErrorClass",
    "ExternalSystem",
    "Feed",
    "InboxMessage",
    "InboxRepeat",
    "KeyUsage",
    "Kind",
    "Part",
    "Partner",
    "PartnerKey",
    "Precision",
    "RateOverride",
    "RatePlan",
    "ReadRecord",
    "RequestLog",
    "Scope",
    "SharingAgreement",
    "Signature",
    "Standing",
    "SystemProbe",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookSecret",
    "WebhookSubscription",
]
