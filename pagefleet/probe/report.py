"""What was found out, as a crawl file ready to edit: TOML, with the evidence in comments. Pure."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from pagefleet.decode import is_array, is_object
from pagefleet.probe.finding import Probed
from pagefleet.url import safe

WIDTH = 100
BARE = re.compile(r"[A-Za-z0-9_-]+")


def crawl_file(probed: Probed) -> str:
    """The whole file. The same findings make the same text."""
    head = "verified" if probed.is_verified else f"not verified: {probed.why_not}"
    lines = [*_comment(f"{safe(probed.url)}, probed by pagefleet; {head}."), "#", *_table(probed)]
    lines += [line for remark in probed.remarks for line in _comment(f"mind: {remark}")]
    lines += ["", *_fields(probed.said, with_paginate=probed.is_verified)]
    if not probed.is_verified:
        lines += ["", *_comment("What was tried; a crawl needs one of them, or another:")]
        for guess in probed.guesses:
            lines += _comment(f"paginate = {_value(guess.said.get('paginate', {}))}", guess.reason)
        lines += [] if probed.guesses else ['# paginate = { kind = "none" }']
    return "\n".join(line.rstrip() for line in lines) + "\n"


def summary(probed: Probed) -> str:
    """All in one line."""
    found = {finding.topic: finding for finding in probed.findings}
    parts = [f"documents at {probed.said.get('documents')}"]
    if "paginate" in found:
        parts.append(f"paginate = {_value(probed.said['paginate'])}, {found['paginate'].confidence}")
    if "total" in found:
        parts.append(f"a total at {found['total'].value}: {found['total'].evidence}")
    return "; ".join(parts)


def _table(probed: Probed) -> Iterable[str]:
    """A line for each finding: topic, value, confidence, evidence."""
    rows = [(one.topic, printable(one.value), str(one.confidence), printable(one.evidence)) for one in probed.findings]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        front = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True))
        yield from textwrap.wrap(
            row[3], WIDTH + 20, initial_indent=f"# {front}  ", subsequent_indent="#" + " " * (len(front) + 3)
        )


def printable(text: str) -> str:
    """What a server said goes to terminals, and into comments."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _comment(*texts: str) -> list[str]:
    texts = tuple(map(printable, texts))
    lines = textwrap.wrap(texts[0], WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
    for text in texts[1:]:
        lines += textwrap.wrap(text, WIDTH, initial_indent="#     ", subsequent_indent="#     ")
    return lines


def _fields(said: Mapping[str, Any], *, with_paginate: bool) -> Iterable[str]:
    for name, value in said.items():
        if name != "paginate":
            yield f"{name} = {_value(value)}"
    if with_paginate:
        yield from ("", "[paginate]")
        yield from (f"{_key(name)} = {_value(value)}" for name, value in said["paginate"].items())


def _value(value: Any) -> str:
    """A value as TOML writes it, in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if is_object(value):
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + " }"
    if is_array(value):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else str(value)


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """In quotes; a literal string where that saves escapes."""
    if "'" not in text and ('"' in text or "\\" in text) and text.isprintable():
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in escaped) + '"'
