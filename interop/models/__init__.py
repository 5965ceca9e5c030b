from interop.models.inbox import InboxMessage
from interop.models.partners import Feed, Kind, Partner, PartnerKey, Precision, Scope

__all__ = ["Feed", "InboxMessage", "Kind", "Partner", "PartnerKey", "Precision", "Scope"]
