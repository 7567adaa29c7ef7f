"""What is loaded into the servers: collections whose sizes try the ends of pages, records whose values try codecs."""

from typing import Any

PAGE = 20
SIZES = {"empty": 0, "one": 13, "exact": 2 * PAGE, "more": 2 * PAGE + 1, "many": 337}
"""Collections by name: no record, one page, pages that are all full, one record more, many and a part of a page."""
TEXT = 'café é 漢字 😀 Ω\u00a0"quoted" back\\slash </tag> &amp; + %2B é&=/?#'


def record(number: int) -> dict[str, Any]:
    """One record; `number` counts from 1."""
    return {
        "id": number,
        "name": f"{number} {TEXT}",
        "big": 2**63 - number,
        "score": number / 8,
        "note": None if number % 3 == 0 else "" if number % 3 == 1 else "\t two\nlines ",
    }


def records(collection: str) -> list[dict[str, Any]]:
    """All of a collection, in order."""
    return [record(number) for number in range(1, SIZES[collection] + 1)]


HUGE = 12345678901234567890123
"""More than 64 bits: for servers whose JSON may hold it."""


def nested(number: int) -> dict[str, Any]:
    """What goes into members that hold JSON."""
    return {"huge": HUGE + number, "list": [None, True, [], {}, {"Ω": -0.5}], "é": {"deep": [number]}}
