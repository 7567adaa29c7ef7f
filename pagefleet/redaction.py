"""What must never be said: secrets that this process has looked up, and that servers echo in their answers.

And how much may be said of what a source sent.
"""

import json
from collections import OrderedDict
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters: what is shorter stands in every text."""
PREFIX = 8
"""Of a long secret that is cut off by the end of a quotation, so many characters are recognised."""
LONG = 16
"""Characters that do not stand in another text by chance."""
KEPT = 1000
"""Values; a secret that is rotated has several."""
QUOTED = 80
"""Bytes of one value of a source's that a message quotes."""
_names: OrderedDict[str, str] = OrderedDict()


def never_say(secret: str, name: str) -> None:
    """From now on `redacted` puts the name in the place of the secret."""
    if len(secret) < SHORTEST or _names.get(secret) == name:
        return
    for spelling in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        _names[spelling] = name
    while len(_names) > KEPT:
        _names.popitem(last=False)


def is_said(text: str) -> bool:
    """Is this the value of a secret, or is a long one in it?"""
    return text in _names or any(len(secret) >= LONG and secret in text for secret in _names)


def redacted(text: str) -> str:
    """A text for others, without secrets."""
    for secret in sorted(_names, key=len, reverse=True):
        start = secret[:PREFIX]
        while (at := text.find(start)) >= 0:
            end = at + len(start)
            while end < len(text) and end - at < len(secret) and text[end] == secret[end - at]:
                end += 1
            if start in _names[secret]:
                break  # the name itself begins so: it would be replaced for ever
            text = text[:at] + _names[secret] + text[end:]
    return text


def quoted(value: Any, most: int = QUOTED) -> str:
    """A value as Python writes it, or its beginning, of at most so many bytes."""
    try:
        return cut(repr(value), most)
    except (RecursionError, ValueError):  # it is nested, or has digits, beyond what Python writes
        return f"{type(value).__name__}…"


def cut(text: str, most: int) -> str:
    """A text, or its beginning, of at most so many bytes."""
    whole = text.encode(errors="backslashreplace")
    return text if len(whole) <= most else whole[:most].decode(errors="ignore") + "…"
