from interop.models.inbox import InboxMessage
from interop.models.jobs import BatchJob, BatchRow
from interop.models.partners import Feed, Kind, Partner, PartnerKey, Precision, Scope

__all__ = ["BatchJob", "BatchRow", "Feed", "InboxMessage", "Kind", "Partner", "PartnerKey", "Precision", "Scope"]
