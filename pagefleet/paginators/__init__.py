"""Paginators: pure rules from a request and its answer to the next request, or to the end. They never wait.

    rule.py places.py                 what all of them share; where a value is found, and where it is put
    opaque.py links.py cursors.py     by the server's own cursors, which can die
    numbers.py keyset.py              by counting; by the last document

A paginator is frozen and is part of a crawl's description (`paginate = {kind = "offset", ...}`). It is asked for two
things: the request of a cursor (`request`), and the cursor that follows an answer (`next`; None is the end).
"""

from typing import Annotated

from pydantic import Field

from pagefleet.paginators.cursors import Continue, NextCursor, Then
from pagefleet.paginators.keyset import Keyset
from pagefleet.paginators.links import LinkHeader, LinkObject, NextUrl, parse_link
from pagefleet.paginators.numbers import Offset, PageNumber, Single
from pagefleet.paginators.opaque import Fall, Opaque
from pagefleet.paginators.rule import Answer, Rule

__all__ = [
    "Answer",
    "Continue",
    "Fall",
    "Keyset",
    "LinkHeader",
    "LinkObject",
    "NextCursor",
    "NextUrl",
    "Offset",
    "Opaque",
    "PageNumber",
    "Paginator",
    "Rule",
    "Single",
    "Then",
    "parse_link",
]

Paginator = Annotated[
    LinkHeader | NextUrl | LinkObject | NextCursor | Continue | Keyset | Offset | PageNumber | Single,
    Field(discriminator="kind"),
]
