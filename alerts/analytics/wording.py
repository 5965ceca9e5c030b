"""The small language of message templates: words, and ``{names}`` in their midst. Nothing is looked up, called or computed.

A line whose names are all empty is left out, so that "Where: {place}" is not said of an alert without a place. Text from outside comes
in cleaned: no control characters, no marks that turn the order of letters around, no braces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_JOINERS = frozenset("\u200c\u200d")  # letters of Persian and Urdu, and emoji, need them


class Malformed(ValueError):
    """A brace that opens or closes no name. ``excerpt`` shows where."""

    def __init__(self, excerpt: str) -> None:
        super().__init__(excerpt)
        self.excerpt = excerpt


def names_in(text: str) -> list[str]:
    """The names a template asks for, in order, each once. Raises ``Malformed`` at a brace that belongs to none.

    >>> names_in("{level}: {title} ({level})")
    ['level', 'title']
    """
    rest = _NAME.sub("", text)
    stray = re.search(r"[{}]", rest)
    if stray is not None:
        raise Malformed(rest[max(0, stray.start() - 12) : stray.end() + 12])
    return list(dict.fromkeys(_NAME.findall(text)))


def unknown_in(text: str, known: Collection[str]) -> list[str]:
    return [name for name in names_in(text) if name not in known]


def fill(text: str, values: Mapping[str, str], *, keep: Collection[str] = ()) -> str:
    """The template with its values. Names in ``keep`` stay as they are: they are filled at the moment of sending.

    >>> fill("{title}\\nWhere: {place}", {"title": "Smoke", "place": ""})
    'Smoke'
    """
    lines = []
    for line in text.splitlines():
        names = _NAME.findall(line)
        if names and not any(name in keep or values.get(name, "") for name in names):
            continue
        lines.append(_NAME.sub(lambda found: found[0] if found[1] in keep else values.get(found[1], ""), line).rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def clean(text: object, *, most: int = 400, lines: bool = False) -> str:
    """Text from outside, fit for a message: control and direction marks gone, white space folded, cut at ``most`` characters.

    >>> clean("fire\\u202e exe.gpj\\r\\nBcc: x")
    'fire exe.gpj Bcc: x'
    """
    kept = []
    for char in unicodedata.normalize("NFC", str(text)):
        if char in "\n\r\t\u2028\u2029":
            kept.append("\n" if lines and char == "\n" else " ")
        elif unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"} and char not in _JOINERS:
            continue
        else:
            kept.append({"{": "(", "}": ")"}.get(char, char))
    folded = "\n".join(" ".join(line.split()) for line in "".join(kept).split("\n")).strip()
    return folded if len(folded) <= most else folded[: most - 1].rstrip() + "…"
