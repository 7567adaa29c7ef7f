"""What paginators share that follow the server's own cursors: these can die, be used up, and move on when asked.

A fallback is a position that needs no cursor of the server's. Once a crawl has fallen back its cursors are
`{"$fallback": <cursor of the fallback>}`; before, a keyset to fall back on goes along with each:
`{"$cursor": <cursor>, "$keyset": <cursor of the fallback>}`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pagefleet.decode import is_object
from pagefleet.page import Cursor, Request, Response
from pagefleet.paginators.keyset import Keyset
from pagefleet.paginators.numbers import Offset, PageNumber
from pagefleet.paginators.rule import Answer, Rule, Sign, shows
from pagefleet.redaction import quoted

FALLEN, CURSOR, KEYSET = "$fallback", "$cursor", "$keyset"
DEAD = ("400", "404", "409", "410", "422")
"""How servers refuse a cursor that they do not know any more."""
Position = Annotated[Keyset | Offset | PageNumber, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Fall:
    """Where a crawl goes on whose cursor has died: at `cursor`, past `skip` documents that are delivered already."""

    cursor: Cursor
    skip: int
    how: str
    is_unsure: bool = False
    """A position by count is another document's when something was inserted or removed before it."""


class Opaque(Rule):
    """A paginator by cursors that the server makes, and what is to be known about them."""

    absent: Literal["doubt", "end"] = "doubt"
    """What it means that nothing stands where the next page should, and that on the only page: many APIs say nothing
    when there is one, and so does a crawl that looks in the wrong place."""
    replay: Literal["safe", "advancing", "single-use"] = "safe"
    """May a request be sent again whose reply was lost? `advancing`: the server has moved on when it was asked."""
    expires: float | None = Field(default=None, gt=0)
    """Seconds that a cursor lives."""
    expired: tuple[Sign, ...] | None = None
    """What the server says to a cursor that is dead. Left out: 410, with a fallback also 400, 404, 409 and 422."""
    fallback: Position | Literal["restart"] | None = None
    """How to go on without the cursor: from a position, or from the first page, past what is delivered."""

    @model_validator(mode="after")
    def _can_fall(self) -> "Opaque":
        if isinstance(self.fallback, PageNumber) and self.fallback.size is None:
            raise ValueError("a fallback by page numbers needs size and size_param, to know which page comes next")
        return self

    def members(self) -> tuple[str, ...]:
        rule = self._position
        return (*super().members(), *(rule.members() if rule else ()))

    @property
    def _position(self) -> Keyset | Offset | PageNumber | None:
        return self.fallback if isinstance(self.fallback, Rule) else None

    def _fallen(self, cursor: Cursor) -> Keyset | Offset | PageNumber | None:
        """The rule of a cursor that is no longer the server's."""
        return self._position if is_object(cursor) and FALLEN in cursor else None

    def fits(self, cursor: Cursor) -> bool:
        if rule := self._fallen(cursor):
            return cursor.keys() == {FALLEN} and rule.fits(cursor[FALLEN])
        if is_object(cursor) and any(name.startswith("$") for name in cursor):
            is_keyset = isinstance(self.fallback, Keyset) and self.fallback.fits(cursor.get(KEYSET))
            is_ours = cursor.keys() == ({CURSOR, KEYSET} if is_keyset else {CURSOR})
            return is_ours and cursor[CURSOR] is not None and self.owns(cursor[CURSOR])
        return cursor is None or self.owns(cursor)

    def owns(self, cursor: Cursor) -> bool:
        """Could this be a cursor of the server's?"""
        return False

    def request(self, first: Request, cursor: Cursor) -> Request:
        if rule := self._fallen(cursor):
            return rule.request(first, cursor[FALLEN])
        return self.ask(first, _bare(cursor))

    def ask(self, first: Request, cursor: Cursor) -> Request:
        """What fetches the page of a cursor of the server's."""
        return first

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        if rule := self._fallen(cursor):
            following = rule.next(cursor[FALLEN], answer)
            return None if following is None else {FALLEN: following}
        following = super().next(_bare(cursor), answer)
        if is_object(following) and any(name.startswith("$") for name in following):
            following = {CURSOR: following}  # the server's own, and none of ours
        if following is None or not isinstance(self.fallback, Keyset):
            return following
        anchor = self.fallback.anchor(answer) if answer.documents else _anchor(cursor)
        return {CURSOR: _bare(following), KEYSET: anchor}

    def fresh(self, cursor: Cursor, documents: list[bytes]) -> list[bytes]:
        rule = self._fallen(cursor)
        return rule.fresh(cursor[FALLEN], documents) if rule else documents

    def is_past_end(self, response: Response, delivered: int, total: int | None) -> bool:
        if super().is_past_end(response, delivered, total):
            return True
        return self._position is not None and self._position.is_past_end(response, delivered, total)

    def is_said(self, answer: Answer) -> bool:
        return self.absent == "end" or super().is_said(answer) or self.is_pointed(answer)

    def is_pointed(self, answer: Answer) -> bool:
        """Is something there where the next page should stand, be it null?"""
        return True

    def is_repeat(self, cursor: Cursor, following: Cursor, count: int) -> bool:
        """A token may stay the same while the content goes on (Crossref, Elasticsearch' scroll)."""
        return _bare(following) == _bare(cursor) and count == 0

    def is_seamless(self, cursor: Cursor) -> bool:
        rule = self._fallen(cursor)
        return rule is not None and rule.is_seamless(cursor[FALLEN])

    def is_clamped(self, cursor: Cursor, count: int, total: int | None) -> bool:
        rule = self._fallen(cursor)
        return rule is not None and rule.is_clamped(cursor[FALLEN], count, total)

    def is_repeatable(self, cursor: Cursor) -> bool:
        """May the request of this cursor be sent again, when nobody knows what became of it?"""
        return self.replay == "safe" or cursor is None or self._fallen(cursor) is not None

    def is_dead(self, cursor: Cursor, response: Response) -> bool:
        """Does this answer say that the cursor is not known any more?"""
        if cursor is None or self._fallen(cursor):
            return False
        signs = self.expired if self.expired is not None else (DEAD if self.fallback else ("410",))
        return shows(signs, response)

    def fall(self, cursor: Cursor, delivered: int) -> Fall | None:
        """The safest position that needs no cursor; None: there is none."""
        if isinstance(self.fallback, Keyset) and (anchor := _anchor(cursor)):
            return Fall({FALLEN: anchor}, 0, f"behind {self.fallback.field} {quoted(anchor[0])}")
        if isinstance(self.fallback, Offset | PageNumber):
            at, skip = self.fallback.at(delivered)
            return Fall({FALLEN: at}, skip, f"at {self.fallback.param} {at}", is_unsure=True)
        return Fall(None, delivered, "from the first page") if self.fallback else None


def _bare(cursor: Cursor) -> Any:
    return cursor[CURSOR] if is_object(cursor) and CURSOR in cursor else cursor


def _anchor(cursor: Cursor) -> Any:
    return cursor[KEYSET] if is_object(cursor) and KEYSET in cursor else None
