"""Slices: how one crawl becomes parts that workers walk beside each other. Pure.

    values   one for each value of a query parameter, and ranges of pages of a value that has many
    pages    ranges of pages, where pages are counted
    range    ranges of numbers, dates or times, cut up until each holds less than the API lists

Slices form a tree: `0` is the whole, and one that is split has the children `0.0`, `0.1` and so on. Bounds, small JSON
values, say which part a slice is; the same bounds and the same first page always give the same children.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from pagefleet.errors import Stop
from pagefleet.paginators.numbers import Span

Bounds = Any
"""Of one slice, a JSON value."""
MOST_CHILDREN = 100
"""Of one split, which is one script, and has Redis to itself meanwhile."""
MOST_PARTS = 8
"""That a range is cut into at once, for its documents are seldom spread evenly."""
MOST_PAGES = 10_000_000
"""Of a collection, counted: a total that lies would make slices without end."""
PLACE = re.compile(r"\{(from|to)(?::([^{}]*))?\}")
Point = int | date | datetime


class _Slices(BaseModel):
    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )

    @model_serializer(mode="wrap")
    def _with_by(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What they go by is said even where defaults are left out: it tells one kind from another."""
        return {"by": self.__class__.model_fields["by"].default, **said(self)}

    @property
    def needs_total(self) -> bool:
        """The declared total decides, so the crawl says where it is."""
        return True

    @property
    def counts_pages(self) -> bool:
        """There may be ranges of pages, so the pages of the crawl are counted."""
        return False

    def whole(self) -> Bounds:
        """The bounds of the whole crawl."""
        return None

    def known(self, bounds: Bounds) -> list[Bounds]:
        """The parts of a slice, where no page need be seen for them; none: it is not to be split before that."""
        return []

    def parts(self, bounds: Bounds, total: int, count: int, cap: int | None) -> list[Bounds]:
        """The parts of a slice whose first page has `count` documents of so many; none: it is small enough, or as small
        as can be."""
        return []

    def query(self, bounds: Bounds) -> Mapping[str, Any]:
        """The query parameters that ask for a slice."""
        return {}

    def span(self, bounds: Bounds) -> "PageRange | None":
        """The pages of a slice, where it is a range of them."""
        return None

    def title(self, bounds: Bounds) -> str:
        """For people."""
        raise NotImplementedError


class PageRange(BaseModel):
    """Pages from `first` to before `behind`, counted from 0, of `of` documents each. The last range has no end, for
    there may be more by the time that it is walked, and its `behind` is where the end was."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    first: int = 0
    behind: int
    of: int
    last: bool = True

    @classmethod
    def of_total(cls, total: int, count: int, cap: int | None) -> "PageRange":
        """All that there are where the first one has `count` documents of so many."""
        pages = -(-min(total, cap or total) // count)
        if pages > MOST_PAGES:
            raise Stop(f"slicing by pages: the source declares {total:,} documents, {pages:,} pages; correct total")
        return cls(behind=pages, of=count)

    def ranges(self, most: int) -> "list[PageRange]":
        """Its parts of so many pages, or of many such parts; none: it is one already."""
        count = -(-(self.behind - self.first) // most)
        if count <= 1:
            return []
        cuts = [
            (self.first + start * most, min(self.first + end * most, self.behind)) for start, end in _grouped(count)
        ]
        return [
            PageRange(first=one, behind=end, of=self.of, last=self.last and end == self.behind) for one, end in cuts
        ]

    def span(self) -> Span:
        """What is walked."""
        return Span(first=self.first, behind=None if self.last else self.behind, of=self.of)

    def title(self) -> str:
        """For people, who count from 1."""
        return f"pages {self.first + 1} to {self.behind}"


class ByValues(_Slices):
    """A slice for each value of a query parameter. Bounds: from which value to which, by their numbers; and the pages,
    of a value that is split by them."""

    by: Literal["values"] = "values"
    param: str = Field(min_length=1)
    values: tuple[str | int | float | bool, ...] = Field(min_length=1)
    pages: int | None = Field(default=None, gt=0)
    """A value that has more pages is split into ranges of so many; None: none is."""

    @property
    def needs_total(self) -> bool:
        return self.counts_pages

    @property
    def counts_pages(self) -> bool:
        return self.pages is not None

    @model_validator(mode="after")
    def _differ(self) -> "ByValues":
        texts = [_text(value) for value in self.values]
        if len(set(texts)) < len(texts):
            twice = next(text for n, text in enumerate(texts) if text in texts[:n])
            raise ValueError(f"values holds {twice} twice, and its documents would come twice; leave one out")
        return self

    def whole(self) -> Bounds:
        return [0, len(self.values)]

    def known(self, bounds: Bounds) -> list[Bounds]:
        first, behind, *pages = bounds
        if pages:
            return self._ranges(bounds, PageRange(**pages[0]))
        return [[first + start, first + end] for start, end in _grouped(behind - first)] if behind - first > 1 else []

    def parts(self, bounds: Bounds, total: int, count: int, cap: int | None) -> list[Bounds]:
        return self._ranges(bounds, PageRange.of_total(total, count, cap)) if count and not self.span(bounds) else []

    def _ranges(self, bounds: Bounds, pages: PageRange) -> list[Bounds]:
        return [[*bounds[:2], part.model_dump()] for part in pages.ranges(self.pages)] if self.pages else []

    def query(self, bounds: Bounds) -> Mapping[str, Any]:
        return {self.param: self.values[bounds[0]]}

    def span(self, bounds: Bounds) -> PageRange | None:
        return PageRange(**bounds[2]) if bounds[2:] else None

    def title(self, bounds: Bounds) -> str:
        first, behind, *_ = bounds
        if behind - first > 1:
            return f"{behind - first} values of {self.param}, from {_text(self.values[first])}"
        pages = self.span(bounds)
        return f"{self.param}={_text(self.values[first])}" + (f", {pages.title()}" if pages else "")


class ByPages(_Slices):
    """Ranges of so many pages. Bounds: those of the pages."""

    by: Literal["pages"] = "pages"
    pages: int = Field(gt=0)

    @property
    def counts_pages(self) -> bool:
        return True

    def known(self, bounds: Bounds) -> list[Bounds]:
        return self._ranges(PageRange(**bounds)) if bounds else []

    def parts(self, bounds: Bounds, total: int, count: int, cap: int | None) -> list[Bounds]:
        return self._ranges(PageRange.of_total(total, count, cap)) if count and not bounds else []

    def _ranges(self, pages: PageRange) -> list[Bounds]:
        return [part.model_dump() for part in pages.ranges(self.pages)]

    def span(self, bounds: Bounds) -> PageRange | None:
        return PageRange(**bounds) if bounds else None

    def title(self, bounds: Bounds) -> str:
        return PageRange(**bounds).title() if bounds else "all pages"


def _point(said: Any) -> Point:
    """An integer, a date, or a time in whole seconds, in UTC."""
    if isinstance(said, str):
        try:
            if re.fullmatch(r"-?\d{1,18}", said):
                return int(said)
            said = date.fromisoformat(said) if re.fullmatch(r"\d{4}-\d\d-\d\d", said) else datetime.fromisoformat(said)
        except ValueError:
            pass
    if isinstance(said, datetime) and not said.microsecond:
        return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
    if isinstance(said, int | date) and not isinstance(said, bool | datetime):
        return said
    raise ValueError("write an integer, a date such as 2020-01-31, or whole seconds such as 2020-01-31T12:00:00Z")


def _text(value: Any) -> str:
    """As it stands in a query."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value).lower() if isinstance(value, bool) else str(value)


Place = Annotated[
    Point,
    PlainValidator(_point),
    PlainSerializer(lambda point: point if isinstance(point, int) else _text(point)),
]


class ByRange(_Slices):
    """Ranges of a number, a date or a time, half-open. Bounds: from where to where, by 1, a day or a second."""

    by: Literal["range"] = "range"
    start: Place = Field(validation_alias="from", serialization_alias="from")
    end: Place = Field(validation_alias="to", serialization_alias="to")
    params: Mapping[str, str]
    """`{from}` and `{to}` in them stand for the ends of a range, `{from:%Y%m%d}` for one in a form of its own."""
    most: int | None = Field(default=None, gt=0)
    """A range whose declared total reaches this is split; None: the crawl's cap."""
    inclusive: bool = False
    """The API takes `{to}` to be inside."""

    @model_validator(mode="after")
    def _agrees(self) -> "ByRange":
        if type(self.start) is not type(self.end):
            raise ValueError("from and to are of two kinds; write two integers, two dates or two times")
        if _number(self.start) >= _number(self.end):
            raise ValueError("to is not behind from; nothing lies between them")
        told = {found[1] for text in self.params.values() for found in PLACE.finditer(text)}
        if told != {"from", "to"}:
            raise ValueError('params does not say both; write such as since = "{from}", until = "{to}"')
        try:
            self.query(self.whole())
        except ValueError as error:
            raise ValueError(f"params says a form that there is none of: {error}; correct it") from error
        return self

    def whole(self) -> Bounds:
        return [_number(self.start), _number(self.end)]

    def parts(self, bounds: Bounds, total: int, count: int, cap: int | None) -> list[Bounds]:
        (start, end), most = bounds, self.most or cap or total + 1
        if total < most or end - start == 1:
            return []
        pieces = min(MOST_PARTS, end - start, max(2, total // most + 1))
        cuts = [start + (end - start) * n // pieces for n in range(pieces + 1)]
        return [list(ends) for ends in pairwise(cuts)]

    def query(self, bounds: Bounds) -> Mapping[str, Any]:
        start, end = bounds
        ends = {"from": self._at(start), "to": self._at(end - self.inclusive)}

        def said(found: re.Match[str]) -> str:
            return format(ends[found[1]], found[2]) if found[2] else _text(ends[found[1]])

        return {name: PLACE.sub(said, text) for name, text in self.params.items()}

    def title(self, bounds: Bounds) -> str:
        return f"{_text(self._at(bounds[0]))} to {_text(self._at(bounds[1]))}"

    def _at(self, number: int) -> Point:
        if isinstance(self.start, datetime):
            return datetime.fromtimestamp(number, UTC)
        return number if isinstance(self.start, int) else date.fromordinal(number)


Slices = Annotated[ByValues | ByPages | ByRange, Field(discriminator="by")]


def _number(point: Point) -> int:
    if isinstance(point, datetime):
        return int(point.timestamp())
    return point if isinstance(point, int) else point.toordinal()


def _grouped(count: int) -> Sequence[tuple[int, int]]:
    """So many things in at most `MOST_CHILDREN` groups, all but the last of one size, a power of that."""
    width = 1
    while -(-count // width) > MOST_CHILDREN:
        width *= MOST_CHILDREN
    return [(start, min(start + width, count)) for start in range(0, count, width)]
