"""One family of errors. Services raise them with a sentence fit for the user; each door maps them in one place."""

from __future__ import annotations

from collections.abc import Mapping


class DomainError(Exception):
    """Something the caller can understand and mend.

    ``fields`` maps a field's name to what is wrong with it, ``codes`` to a short stable word for programs where one is needed.
    """

    status = 400
    code = "invalid"
    retry_after_s: int | None = None  # when the same may be tried again, where that is known

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, codes: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.codes = dict(codes or {})


class Invalid(DomainError):
    status, code = 422, "invalid"


class NotAllowed(DomainError):
    status, code = 403, "not_allowed"


class NotFound(DomainError):
    status, code = 404, "not_found"


class Conflict(DomainError):
    """The world moved on: somebody else changed the row first, or the state does not admit the step."""

    status, code = 409, "conflict"
