"""CAP 1.2 as others send it: the XML read into plain names and values, without a DTD, an entity or an end to its depth.

What is read is the shape alone (which elements, how often, where); what the values must be is the business of the typed message
(``interop.messages.cap``), which also reads what a person has mended by hand. Elements of other namespaces (signatures, extensions) are
passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError

from interop.standards.cap import NAMESPACE

MOST_ELEMENTS = 20_000
MOST_DEPTH = 24
_PAIR = {"valueName": "name", "value": "value"}
# CAP's name to (ours, whether it may come more than once, what is inside it).
Shape = Mapping[str, tuple[str, bool, "Shape | None"]]
_AREA: Shape = {
    "areaDesc": ("description", False, None),
    "polygon": ("polygon", True, None),
    "circle": ("circle", True, None),
    "geocode": ("geocode", True, {name: (ours, False, None) for name, ours in _PAIR.items()}),
    "altitude": ("altitude", False, None),
    "ceiling": ("ceiling", False, None),
}
_RESOURCE: Shape = {
    name: (name, False, None) for name in ("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest")
}  # fmt: skip
_INFO: Shape = {
    "language": ("language", False, None),
    "category": ("category", True, None),
    "event": ("event", False, None),
    "responseType": ("response_type", True, None),
    "urgency": ("urgency", False, None),
    "severity": ("severity", False, None),
    "certainty": ("certainty", False, None),
    "audience": ("audience", False, None),
    "eventCode": ("event_code", True, {name: (ours, False, None) for name, ours in _PAIR.items()}),
    "effective": ("effective", False, None),
    "onset": ("onset", False, None),
    "expires": ("expires", False, None),
    "senderName": ("sender_name", False, None),
    "headline": ("headline", False, None),
    "description": ("description", False, None),
    "instruction": ("instruction", False, None),
    "web": ("web", False, None),
    "contact": ("contact", False, None),
    "parameter": ("parameter", True, {name: (ours, False, None) for name, ours in _PAIR.items()}),
    "resource": ("", True, _RESOURCE),  # pictures and sounds are not taken in
    "area": ("area", True, _AREA),
}
_ALERT: Shape = {
    "identifier": ("identifier", False, None),
    "sender": ("sender", False, None),
    "sent": ("sent", False, None),
    "status": ("status", False, None),
    "msgType": ("msg_type", False, None),
    "source": ("source", False, None),
    "scope": ("scope", False, None),
    "restriction": ("restriction", False, None),
    "addresses": ("addresses", False, None),
    "code": ("code", True, None),
    "note": ("note", False, None),
    "references": ("references", False, None),
    "incidents": ("incidents", False, None),
    "info": ("info", True, _INFO),
}


@dataclass
class _Open:
    """An element that has begun. ``shape`` is ``None`` of text; ``is_ours`` is false of what is passed over."""

    name: str
    shape: Shape | None
    is_ours: bool = True
    values: dict[str, Any] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)


def read(raw: bytes) -> dict[str, Any]:
    """The message as plain names and values; ``ParseError`` says in words what is no CAP about it."""
    if not raw.strip():
        raise ParseError(_("The body is empty; a CAP message is XML."))
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = reader.refuse_dtd
    parser.EntityDeclHandler = reader.refuse_dtd
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        where = {"line": error.lineno, "column": error.offset + 1, "what": expat.ErrorString(error.code)}
        raise ParseError(_("The body is not XML: line %(line)d, column %(column)d: %(what)s.") % where) from error
    except (ValueError, LookupError) as error:
        raise ParseError(_("The body is in an encoding that is not read here. Write it in UTF-8.")) from error
    assert reader.found is not None
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.path: list[_Open] = []
        self.elements = 0
        self.found: dict[str, Any] | None = None

    def refuse_dtd(self, *_given: Any) -> None:
        raise ParseError(_("A document type or an entity is not read: send the message without them."))

    def start(self, full_name: str, _attributes: Any) -> None:
        self.elements += 1
        if self.elements > MOST_ELEMENTS or len(self.path) >= MOST_DEPTH:
            raise ParseError(_("The message has too many elements, or they stand too deep in one another."))
        namespace, _space, name = full_name.rpartition(" ")
        if not self.path:
            if (namespace, name) != (NAMESPACE, "alert"):
                raise ParseError(_("This is no CAP 1.2: it begins with an alert of the namespace %(name)s.") % {"name": NAMESPACE})
            self.path.append(_Open(name, _ALERT))
            return
        parent = self.path[-1]
        if not parent.is_ours or namespace != NAMESPACE:
            self.path.append(_Open(name, None, is_ours=False))
            return
        known = parent.shape.get(name) if parent.shape is not None else None
        if known is None:
            raise ParseError(_("CAP has no <%(name)s> in <%(parent)s>.") % {"name": name[:40], "parent": parent.name})
        ours, is_many, inside = known
        if ours and not is_many and ours in parent.values:
            raise ParseError(_("<%(name)s> stands twice in <%(parent)s>.") % {"name": name, "parent": parent.name})
        self.path.append(_Open(name, inside))

    def characters(self, text: str) -> None:
        here = self.path[-1] if self.path else None
        if here is None or not here.is_ours:
            return
        if here.shape is None:
            here.text.append(text)
        elif text.strip():
            raise ParseError(_("Text stands between the elements of <%(name)s>.") % {"name": here.name})

    def end(self, _full_name: str) -> None:
        done = self.path.pop()
        if not done.is_ours:
            return
        value: Any = "".join(done.text).strip() if done.shape is None else done.values
        if not self.path:
            self.found = value
            return
        parent = self.path[-1]
        assert parent.shape is not None
        ours, is_many, _inside = parent.shape[done.name]
        if not ours:
            return
        if is_many:
            parent.values.setdefault(ours, []).append(value)
        else:
            parent.values[ours] = value
