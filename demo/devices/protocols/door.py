"""What every protocol offers the driver."""

from __future__ import annotations

from typing import Any, Protocol

from demo.devices.device import SyntheticDevice


class Refused(Exception):
    """The door answered, and did not take it. Its text is short: it is counted by it."""


class Away(Exception):
    """The door does not answer. The device would try again."""


class Doorway(Protocol):
    """One thread's way in. It may keep connections."""

    def send(self, device: SyntheticDevice, body: dict[str, Any]) -> None:
        """Returns when the door has acknowledged; raises ``Refused`` or ``Away``."""

    def close(self) -> None: ...
