"""Rules as a YAML file: read strictly, each complaint with its line; written so that reading it again changes nothing.

An import makes drafts and proposals, never anything that runs: switching on is for two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.db import transaction
from django.utils.translation import gettext as _
from yaml.nodes import MappingNode, Node, SequenceNode

from alerts.models import AlertRule
from alerts.permissions import Actor
from alerts.services.rules.checking import WARNING, look_over
from alerts.services.rules.content import KEYS, content_of
from alerts.services.rules.fields import short, unknown
from alerts.services.rules.writing import change_rule, create_rule, newest, newest_number
from core.errors import DomainError, Invalid

FORMAT = 1
MOST_BYTES = 1_000_000
MOST_RULES = 1_000
TOP = ("format", "rules")


@dataclass
class Imported:
    """What an import did, or would do. Rules by their code."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def export_rules(rules: Iterable[AlertRule]) -> str:
    """The newest version of each rule as one file, in the order of their codes."""
    said = [content_of(newest(rule)) for rule in sorted(rules, key=lambda each: each.code)]
    text: str = yaml.safe_dump({"format": FORMAT, "rules": said}, allow_unicode=True, sort_keys=False, width=120)
    return text


def import_rules(text: str | bytes, *, by: Actor | None, is_dry_run: bool = False, reason: str = "") -> Imported:
    """Add what is new, change what differs, leave the rest, in one transaction. Raise ``Invalid`` with every complaint, a line each, and
    import nothing, where anything is wrong. What the file does not name stays as it is."""
    entries = read_file(text)
    done = Imported()
    complaints: list[str] = []
    with transaction.atomic():
        for entry in entries:
            try:
                with transaction.atomic():
                    _take(entry, done, by=by, reason=reason)
            except DomainError as error:
                complaints.append(entry.complaint(error))
        if complaints or is_dry_run:
            transaction.set_rollback(True)
    if complaints:
        raise Invalid("\n".join(complaints), fields={"file": "\n".join(complaints)})
    return done


@dataclass(frozen=True)
class Entry:
    """One rule of a file, and on which line each of its keys stands."""

    data: Mapping[str, Any]
    line: int
    lines: Mapping[str, int]

    @property
    def name(self) -> str:
        return short(self.data.get("code") or _("without a code"))

    def complaint(self, error: DomainError) -> str:
        found = [(self.lines.get(key, self.line), text) for key, text in error.fields.items()] or [(self.line, error.message)]
        return "\n".join(_("line %(line)s, rule “%(rule)s”: %(what)s") % {"line": n, "rule": self.name, "what": text} for n, text in found)


def read_file(text: str | bytes) -> list[Entry]:
    """The rules of a file, unjudged but for its form. Raise ``Invalid`` with the line of what is wrong."""
    if len(text) > MOST_BYTES:
        raise Invalid(_("The file is larger than %(most)s MB.") % {"most": MOST_BYTES // 1_000_000})
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Invalid(_("The file is not UTF-8.")) from error
    try:
        node = _compose(text)
        if not isinstance(node, MappingNode):
            raise Invalid(_("The file must say “format: 1” and “rules:” with a list of rules."))
        _refuse_twice(node)
        whole = _value(node)
    except yaml.YAMLError as error:
        raise Invalid(_("The file is no YAML: %(why)s") % {"why": _where(error)}) from error
    except RecursionError as error:
        raise Invalid(_("The file is nested too deeply.")) from error
    except ValueError as error:  # a date like 2026-02-31
        raise Invalid(_("The file holds a value that cannot be: %(why)s") % {"why": short(error)}) from error
    for key, line in _lines(node).items():
        if key not in TOP:
            raise Invalid(_("line %(line)s: %(what)s") % {"line": line, "what": unknown(key, TOP)})
    if whole.get("format") != FORMAT:
        raise Invalid(_("The file must say “format: 1” and “rules:” with a list of rules."))
    listed = next((value for key, value in node.value if key.value == "rules"), None)
    if not isinstance(listed, SequenceNode) or len(listed.value) > MOST_RULES:
        raise Invalid(_("“rules” must be a list of at most %(most)s rules.") % {"most": MOST_RULES})
    return _entries(listed, whole["rules"])


def _entries(listed: SequenceNode, values: list[Any]) -> list[Entry]:
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    complaints = []
    for node, value in zip(listed.value, values, strict=True):
        line = node.start_mark.line + 1
        if not isinstance(value, dict):
            complaints.append(_("line %(line)s: a rule is a mapping of names to values") % {"line": line})
            continue
        entry = Entry({str(key): each for key, each in value.items()}, line, _lines(node))
        for key, at in entry.lines.items():
            if key not in KEYS:
                complaints.append(
                    _("line %(line)s, rule “%(rule)s”: %(what)s") % {"line": at, "rule": entry.name, "what": unknown(key, KEYS)}
                )
        code = str(entry.data.get("code", ""))
        if code in seen:
            complaints.append(
                _("line %(line)s: the rule “%(rule)s” stands on line %(first)s already")
                % {"line": line, "rule": entry.name, "first": seen[code]}
            )
        seen[code] = line
        entries.append(entry)
    if complaints:
        raise Invalid("\n".join(complaints), fields={"file": "\n".join(complaints)})
    return entries


def _take(entry: Entry, done: Imported, *, by: Actor | None, reason: str) -> None:
    code = entry.data.get("code")
    rule = AlertRule.objects.filter(code=code).first() if isinstance(code, str) else None
    if rule is None:
        rule = create_rule(data=entry.data, by=by, reason=reason)
        done.added.append(rule.code)
    else:
        before = newest_number(rule)
        rule = change_rule(rule=rule, data=entry.data, version=before, by=by, reason=reason)
        (done.unchanged if newest_number(rule) == before else done.changed).append(rule.code)
    for each in look_over(newest(rule)):
        if each.kind != WARNING or rule.code not in done.unchanged:
            done.warnings.append(_("line %(line)s, rule “%(rule)s”: %(what)s") % {
                "line": entry.lines.get(each.field, entry.line), "rule": rule.code, "what": each.text,
            })  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Only plain values, and none by reference: a file of a few lines must not stand for a million."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(problem=_("references (*name) are not allowed"), problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _compose(text: str) -> Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _value(node: Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_twice(node: Node) -> None:
    """A key that stands twice would silently win over itself."""
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=_("the key “%(key)s” stands here twice") % {"key": short(name)}, problem_mark=key.start_mark
                )
            seen.add(name)
            _refuse_twice(value)
    elif isinstance(node, SequenceNode):
        for each in node.value:
            _refuse_twice(each)


def _lines(node: Node) -> dict[str, int]:
    return {str(key.value): key.start_mark.line + 1 for key, _value in node.value} if isinstance(node, MappingNode) else {}


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return _("line %(line)s: %(what)s") % {"line": mark.line + 1, "what": problem} if mark is not None else short(problem)
