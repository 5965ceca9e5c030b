"""Words made fit for a wire: one line for headers, a length that a provider takes."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


def one_line(text: str, longest: int) -> str:
    """Without line breaks or other control characters: nothing that came from outside starts a header of its own."""
    return cut(" ".join(CONTROL.sub(" ", text).split()), longest)


def lines(text: str, longest: int) -> str:
    return cut(CONTROL_BUT_LINES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip(), longest)


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def cut_before(text: str, tail: str, longest: int) -> str:
    """The text shortened so that ``tail`` (a link, a reply code), which must not be lost, still fits. ``tail`` may be in it already."""
    if len(text) <= longest:
        return text
    return f"{cut(text, longest - len(tail) - 1)}\n{tail}" if tail else cut(text, longest)
