"""XML as we write and read it: only characters XML can hold go out; no DTD, no entity and no bottomless nesting comes in."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DEEPEST = 64


class BadXml(ValueError):
    """What is wrong with a document, in words for its sender."""


def xml_text(value: object) -> str:
    return _NOT_XML.sub("", str(value))


def add(parent: ElementTree.Element, name: str, value: object | None = None, **attributes: str) -> ElementTree.Element:
    """A child of ``parent``; ``None`` and the empty text make an empty element."""
    child = ElementTree.SubElement(parent, name, {key: xml_text(text) for key, text in attributes.items()})
    if value is not None and value != "":
        child.text = xml_text(value)
    return child


def written(root: ElementTree.Element) -> bytes:
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def read(raw: bytes) -> ElementTree.Element:
    """The document's root. ``BadXml`` for a DTD, an entity, an outside reference, a bottomless nesting, and what is no XML."""
    builder = _Shallow()
    parser: Any = XMLParser(target=builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(raw)
        root = parser.close()
    except DefusedXmlException as error:
        raise BadXml("dtd") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        if isinstance(error, BadXml):
            raise
        raise BadXml(str(error)[:120]) from error
    assert isinstance(root, ElementTree.Element)
    return root


class _Shallow(ElementTree.TreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self.depth = 0

    def start(self, tag: Any, attrs: Any) -> ElementTree.Element:
        self.depth += 1
        if self.depth > DEEPEST:
            raise BadXml("depth")
        return super().start(tag, attrs)

    def end(self, tag: Any) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)
