"""XML as we write it: only characters XML can hold go out."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
