"""The two things that can be wrong: what a device sent, and how its decoder was set up."""

from __future__ import annotations


class Undecodable(Exception):
    """The payload cannot be read. ``reason`` names what is wrong and never repeats what was sent: it may hold a plate or a name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidSettings(ValueError):
    """The settings of a decoder are wrong; ``where`` is the path to the setting, ``why`` what is wrong with it."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why
