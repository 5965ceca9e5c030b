"""Every door that tells a partner's key incidents says so to the record of reads."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.request import Request

from incidents.models import Incident
from interop.api.authentication import request_id_of
from interop.models import PartnerKey
from interop.services.sharing.reads import note_own


def on_record(request: Request, rows: Iterable[Incident], *, door: str) -> None:
    """``rows`` are told to whoever asks. People are not on this record: what they read, the board shows them."""
    if isinstance(request.auth, PartnerKey):
        note_own(request.auth, [row.pk for row in rows], door=door, request_id=request_id_of(request))
