"""What may stand in ``$filter`` and ``$expand``, read into trees. Pure: no model, no request. Every refusal says where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from core.errors import DomainError

MOST_TEXT = 4_000
MOST_TERMS = 40
MOST_DEPTH = 12
MOST_EXPANDED = 12
EXPAND_DEPTH = 3

COMPARE = ("eq", "ne", "gt", "ge", "lt", "le")
FUNCTIONS = {"startswith": 2, "endswith": 2, "contains": 2, "substringof": 2, "st_within": 2, "now": 0}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<geo>geography'(?:[^']|'')*')
    |(?P<text>'(?:[^']|'')*')
    |(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d))
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<word>@?[A-Za-z_][\w.]*(?:/@?[A-Za-z_][\w.]*)*)
    |(?P<mark>[(),])""",
    re.VERBOSE,
)


class BadQuery(DomainError):
    """Not understood, or more than may be asked for."""

    status, code = 400, "bad_query"

    def __init__(self, message: str, *, at: int | None = None, option: str = "$filter") -> None:
        super().__init__(f"{option}: {message}" + (f" at character {at + 1}" if at is not None else ""))


class Token(NamedTuple):
    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Name:
    path: str
    at: int


@dataclass(frozen=True)
class Literal:
    """``kind``: text, number, time, bool, null, geo."""

    kind: str
    value: Any
    at: int


@dataclass(frozen=True)
class Compare:
    left: Name | Literal
    operator: str
    right: Name | Literal
    at: int


@dataclass(frozen=True)
class Call:
    name: str
    arguments: tuple[Any, ...]
    at: int


@dataclass(frozen=True)
class Not:
    of: Any


@dataclass(frozen=True)
class Both:
    """``is_and`` or else or."""

    is_and: bool
    left: Any
    right: Any


def tokens(text: str) -> list[Token]:
    if len(text) > MOST_TEXT:
        raise BadQuery(f"longer than {MOST_TEXT} characters")
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise BadQuery("this cannot be read", at=place)
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), place))
        place = match.end()
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.place = 0
        self.terms = 0

    def parse(self) -> Any:
        found = self.either(0)
        if self.place < len(self.tokens):
            raise BadQuery("something is left over", at=self.tokens[self.place].at)
        return found

    def either(self, depth: int) -> Any:
        left = self.all_of(depth)
        while self.is_word("or"):
            self.place += 1
            left = Both(False, left, self.all_of(depth))
        return left

    def all_of(self, depth: int) -> Any:
        left = self.one(depth)
        while self.is_word("and"):
            self.place += 1
            left = Both(True, left, self.one(depth))
        return left

    def one(self, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise BadQuery(f"nested deeper than {MOST_DEPTH}", at=self.here())
        if self.is_word("not"):
            self.place += 1
            return Not(self.one(depth + 1))
        if self.is_mark("("):
            self.place += 1
            inner = self.either(depth + 1)
            self.need(")")
            return inner
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise BadQuery(f"more than {MOST_TERMS} terms", at=self.here())
        left = self.operand()
        if isinstance(left, Call) and left.name != "now":
            self.skip_truth(left)
            return left
        operator = self.take("a comparison")
        if operator.kind != "word" or operator.text not in COMPARE:
            raise BadQuery(f"expected one of {', '.join(COMPARE)}", at=operator.at)
        return Compare(_plain(left), operator.text, _plain(self.operand()), operator.at)

    def skip_truth(self, call: Call) -> None:
        """``contains(…) eq true`` is the same as ``contains(…)``."""
        if self.is_word("eq"):
            self.place += 1
            truth = self.take("true")
            if truth.text != "true":
                raise BadQuery("a function is compared with true alone; write not", at=truth.at)

    def operand(self) -> Any:
        token = self.take("a value")
        if token.kind == "text":
            return Literal("text", token.text[1:-1].replace("''", "'"), token.at)
        if token.kind == "geo":
            return Literal("geo", token.text[len("geography'") : -1].replace("''", "'"), token.at)
        if token.kind == "number":
            return Literal("number", float(token.text), token.at)
        if token.kind == "time":
            return Literal("time", _instant(token), token.at)
        if token.kind == "word":
            if token.text in ("true", "false"):
                return Literal("bool", token.text == "true", token.at)
            if token.text == "null":
                return Literal("null", None, token.at)
            if self.is_mark("("):
                return self.call(token)
            return Name(token.text, token.at)
        raise BadQuery("expected a value", at=token.at)

    def call(self, token: Token) -> Call:
        wanted = FUNCTIONS.get(token.text)
        if wanted is None:
            raise BadQuery(f"there is no function {token.text[:24]}; there are {', '.join(FUNCTIONS)}", at=token.at)
        self.need("(")
        arguments: list[Any] = []
        while not self.is_mark(")"):
            if arguments:
                self.need(",")
            arguments.append(self.operand())
            if len(arguments) > wanted:
                break
        self.need(")")
        if len(arguments) != wanted:
            raise BadQuery(f"{token.text} takes {wanted} arguments", at=token.at)
        return Call(token.text, tuple(_plain(argument) for argument in arguments), token.at)

    def take(self, wanted: str) -> Token:
        if self.place >= len(self.tokens):
            raise BadQuery(f"expected {wanted}, and it ends", at=len(self.text))
        self.place += 1
        return self.tokens[self.place - 1]

    def need(self, mark: str) -> None:
        token = self.take(mark)
        if token.text != mark:
            raise BadQuery(f"expected {mark}", at=token.at)

    def here(self) -> int:
        return self.tokens[self.place].at if self.place < len(self.tokens) else len(self.text)

    def is_word(self, text: str) -> bool:
        return self.place < len(self.tokens) and self.tokens[self.place].kind == "word" and self.tokens[self.place].text == text

    def is_mark(self, text: str) -> bool:
        return self.place < len(self.tokens) and self.tokens[self.place].kind == "mark" and self.tokens[self.place].text == text


def _plain(operand: Any) -> Any:
    if isinstance(operand, Call) and operand.name != "now":
        raise BadQuery(f"{operand.name} says yes or no and cannot be compared", at=operand.at)
    return operand


def _instant(token: Token) -> datetime:
    try:
        return datetime.fromisoformat(token.text)
    except ValueError as error:
        raise BadQuery("there is no such time", at=token.at) from error


def parse_filter(text: str) -> Any:
    return _Parser(text).parse()


@dataclass(frozen=True)
class Expand:
    """One relation to be told along, with its own options."""

    relation: str
    options: dict[str, str] = field(default_factory=dict)


def parse_expand(text: str, *, depth: int = 0) -> list[Expand]:
    """``Datastreams($select=name;$expand=Observations($top=1)),Locations``; ``A/B`` is ``A($expand=B)``."""
    if depth >= EXPAND_DEPTH:
        raise BadQuery(f"nested deeper than {EXPAND_DEPTH}", option="$expand")
    if len(text) > MOST_TEXT:
        raise BadQuery(f"longer than {MOST_TEXT} characters", option="$expand")
    found = []
    for part in _split(text, ","):
        whole, options = part.strip(), {}
        if "(" in whole:
            if not whole.endswith(")"):
                raise BadQuery("brackets do not close", option="$expand")
            whole, _bracket, inner = whole[:-1].partition("(")
            for one in _split(inner, ";"):
                name, equals, value = one.strip().partition("=")
                if not equals or not name.startswith("$"):
                    raise BadQuery(f"expected $option=value, found {one[:24]!r}", option="$expand")
                options[name] = value
        relation, slash, rest = whole.partition("/")
        if slash:
            options = {"$expand": f"{rest}({';'.join(f'{name}={value}' for name, value in options.items())})" if options else rest}
        if not re.fullmatch(r"[A-Za-z]{1,32}", relation):
            raise BadQuery(f"there is no relation {relation[:24]!r}", option="$expand")
        found.append(Expand(relation, options))
    if len(found) > MOST_EXPANDED:
        raise BadQuery(f"more than {MOST_EXPANDED} relations", option="$expand")
    return found


def _split(text: str, mark: str) -> Iterator[str]:
    """At ``mark`` outside brackets and quotes."""
    depth, quoted, start = 0, False, 0
    for place, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == mark and depth == 0:
            yield text[start:place]
            start = place + 1
    if depth or quoted:
        raise BadQuery("brackets or quotes do not close", option="$expand")
    yield text[start:]
