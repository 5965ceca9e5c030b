"""What one agency lets another read, and the record of what was read."""

from interop.services.sharing.agreements import AgreementTerms, change_agreement, propose_agreement, revoke_agreement, sign_agreement
from interop.services.sharing.grants import Grant, grants_for

__all__ = [
    "AgreementTerms",
    "Grant",
    "change_agreement",
    "grants_for",
    "propose_agreement",
    "revoke_agreement",
    "sign_agreement",
]
