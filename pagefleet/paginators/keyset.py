"""The paginator that goes on behind the greatest value seen: no cursor of the server's, so none that can die."""

import hashlib
from typing import Any, Literal, cast

from pydantic import Field, model_validator

from pagefleet.decode import is_array, value_at
from pagefleet.errors import Stop
from pagefleet.page import Cursor, Request
from pagefleet.paginators.numbers import check_both, sized
from pagefleet.paginators.places import Put, Value, put
from pagefleet.paginators.rule import Answer, Rule, is_count
from pagefleet.paths import MemberPath
from pagefleet.redaction import quoted
from pagefleet.url import safe

MOST_SEEN = 2_000
"""Digests in a cursor: 40 KB, which the slice and each row of the ledger hold."""


class Keyset(Rule):
    """What comes after the last document's `field`, by a filter `param` of the API that answers in that order.

    An empty page is the end. `tie` is a second field, unique, for documents that share the first, and `tie_param` its
    filter. `inclusive`: the filter means "from" rather than "after"; what came before is then recognised by its bytes.
    The cursor is [value, value of the tie, digests of the documents that have the value, most documents of a page].
    """

    kind: Literal["keyset"] = "keyset"
    field: MemberPath = "id"
    param: Put
    start: Value | None = None
    tie: MemberPath | None = None
    tie_param: Put | None = None
    inclusive: bool = False
    limit_param: Put | None = None
    limit: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _agrees(self) -> "Keyset":
        check_both("limit_param", self.limit_param, "limit", self.limit)
        if self.inclusive and self.limit == 1:
            raise ValueError(
                "an inclusive keyset needs pages of more than one document, or it never gets past the first"
            )
        if (self.tie is None) != (self.tie_param is None):
            raise ValueError("tie and tie_param go together: the field that is unique, and its filter")
        return self

    def fits(self, cursor: Cursor) -> bool:
        if cursor is None:
            return True
        if not is_array(cursor) or len(cursor) != len(("value", "tie", "seen", "most")):
            return False
        value, tie, seen, most = cursor
        is_placed = _is_value(value) and (_is_value(tie) if self.tie else tie is None)
        return is_placed and is_array(seen) and all(isinstance(one, str) for one in seen) and is_count(most)

    def request(self, first: Request, cursor: Cursor) -> Request:
        values: dict[str, Any] = sized(self.limit_param, self.limit)
        if cursor is not None:
            values[self.param] = cursor[0]
            if self.tie_param:
                values[self.tie_param] = cursor[1]
        elif self.start is not None:
            values[self.param] = self.start
        return put(first, values)

    def fresh(self, cursor: Cursor, documents: list[bytes]) -> list[bytes]:
        if cursor is None or not self.inclusive:
            return documents
        fresh = [document for document in documents if _digest(document) not in cursor[2]]
        if documents and not fresh and 1 < len(documents) >= cursor[3]:
            raise Stop(
                f"{len(documents)} documents, a whole page, have the same {self.field!r}, {quoted(cursor[0])}, and "
                f"what comes behind them cannot be asked for; ask for larger pages, or give paginate a tie"
            )
        return fresh

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        if not answer.documents:
            return None
        value, tie = self._value(answer, self.field), self._value(answer, self.tie) if self.tie else None
        if cursor is not None and [value, tie] == cursor[:2] and not self.inclusive:
            raise Stop(
                f"two pages end at {self.field!r} = {quoted(value)}: {self.param!r} does not filter; correct paginate"
            )
        seen = self._digests(answer, value)
        if cursor is not None and cursor[0] == value:
            seen = [*cursor[2], *seen]
        if len(seen) > MOST_SEEN:
            raise Stop(
                f"more than {MOST_SEEN} documents have the same {self.field!r}, {quoted(value)}; give paginate a tie, "
                f"or a field that tells more of them apart"
            )
        return [value, tie, seen, max(len(answer.documents) + answer.dropped, cursor[3] if cursor else 0)]

    def anchor(self, answer: Answer) -> Cursor:
        """Where to go on behind an answer that another paginator fetched; None: its last document does not say."""
        value, tie = answer.find(f"last:{self.field}"), answer.find(f"last:{self.tie}") if self.tie else None
        if not _is_value(value) or (self.tie and not _is_value(tie)):
            return None
        return [value, tie, self._digests(answer, value)[-MOST_SEEN:], 0]

    def _digests(self, answer: Answer, value: Value) -> list[str]:
        """Of the documents that have the last one's value: they come again where the filter means "from"."""
        if not self.inclusive:
            return []
        return [_digest(one) for one in answer.documents if value_at(one, answer.names(self.field)) == value]

    def is_said(self, answer: Answer) -> bool:
        return True

    def _value(self, answer: Answer, path: str) -> Value:
        value = answer.find(f"last:{path}")
        if not _is_value(value):
            place = safe(answer.response.url)
            raise Stop(f"reading {place}: the last document has no {path!r} to go on from but {quoted(value)}")
        return cast("Value", value)


def _is_value(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _digest(document: bytes) -> str:
    return hashlib.blake2b(document, digest_size=8).hexdigest()
