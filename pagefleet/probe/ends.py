"""What an API says behind its last page, when the crawl counts: found out by asking there.

An empty page is the end for every crawl, an error only where the total is known. A server that answers with its last
page, or with its first, is told apart from one that has more.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from pagefleet.errors import Stop
from pagefleet.page import Response
from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Trial
from pagefleet.probe.observation import Member, whole_number
from pagefleet.probe.observe import observe
from pagefleet.probe.pointers import flags
from pagefleet.probe.sameness import Relation, relation
from pagefleet.probe.words import PAGES, plain

FAR, FARTHEST = 10_000, 10_000_000
"""Pages, where nobody says how many there are, and that nobody has."""
LIMIT = re.compile(r"too (large|deep|many|far|high)|window|maximum|at most|exceed|less than|limit", re.IGNORECASE)
"""Words of an API that ends before its collection does."""
NOT_FOUND = 404
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class End:
    """What to add to a paginator, or why its end is not understood."""

    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    doubt: str = ""
    evidence: str = ""
    documents: str = ""
    """The place of the documents, written so that it may be missing."""


class Beyond:
    """Asks behind the last page of a trial that counts."""

    def __init__(self, asking: Asking, case: Case, trial: Trial) -> None:
        self._asking, self._case, self._trial = asking, case, trial
        paginate = trial.paginate
        self._is_pages = paginate["kind"] == "page"
        self._param = str(paginate["param"])
        self._start = int(paginate.get("start", 1 if self._is_pages else 0))
        self._size = {paginate["size_param"]: paginate["size"]} if "size" in paginate else {}

    def look(self) -> Steps[End]:
        """What stands there; a flag that has been seen to turn makes up for an end that is not understood."""
        pages = self._pages()
        if isinstance(pages, str):
            return End(doubt=pages)
        if self._trial.walked and self._trial.walked.is_over:
            return End(evidence="the page behind the last one is empty")
        end = yield from self._look(pages)
        flag = str(self._trial.paginate.get("more") or self._trial.paginate.get("done") or "")
        if end.doubt and flag and (yield from self._turns(flag, pages)):
            return End(evidence=f"{flag} says of the last page that it is")
        return end

    def _look(self, pages: Member | None, far: int = FAR) -> Steps[End]:
        place = self._behind(pages, far)
        try:
            answer = yield from self._ask(place)
        except Stop as stop:
            return self._by_pages(pages, f"{self._param}={place}, behind the end, cannot be had: {stop}")
        found = self._case.read(answer)
        if found is None:
            return self._without_array(answer, place) or (yield from self._error(answer, place, pages))
        if not found:
            return self._by_pages(pages, "", f"{self._param}={place}, behind the end, brings no documents")
        if far == FARTHEST:
            return End(doubt=f"even {self._param}={place} brings documents, so there is no end to it")
        return (yield from self._documents(found, place, pages))

    def _turns(self, flag: str, pages: Member | None) -> Steps[bool]:
        """Does it say of the last page that there is no more?"""
        place = self._last(pages)
        if place is None:
            return False
        answer = yield from self._ask(place)
        found = flags(observe(answer)) if self._case.read(answer) else []
        return any(one.member.path == flag and not one.says_more for one in found)

    def _last(self, pages: Member | None) -> int | None:
        """The position of the last page, as the crawl would ask for it; None: nobody knows."""
        count = self._case.count
        total = int(pages.value) * count if pages is not None else self._case.declared
        if total is None:
            return None
        number = -(-total // count) - 1
        return self._start + number * (1 if self._is_pages else count)

    def _behind(self, pages: Member | None, far: int) -> int:
        """A position behind the end, or far away."""
        count, total = self._case.count, self._case.declared
        if pages is not None:
            return self._start + int(pages.value) * (1 if self._is_pages else count)
        if total is not None:
            return self._start + (-(-total // count) if self._is_pages else total)
        return self._start + far * (1 if self._is_pages else count)

    def _pages(self) -> Member | str | None:
        """The declared number of pages, if there is one; a sentence when it contradicts the total."""
        for member in self._case.observation.members:
            number, total = whole_number(member.value), self._case.declared
            if plain(member.name) not in PAGES or number is None or number < 1:
                continue
            needed = -(-total // self._case.count) if total is not None else number
            if needed == number:
                return member
            if not self._size and not (self._start == 0 and number == needed - 1):
                return f"{member.path} declares {number} pages, and the total makes {needed} of this size"
        return None

    def _ask(self, place: int) -> Steps[Response]:
        url = httpx.URL(self._trial.said["url"]).copy_merge_params({self._param: place, **self._size})
        return (yield from self._asking.ask(str(url)))

    def _without_array(self, answer: Response, place: int) -> End | None:
        """SCIM leaves out the array when it would be empty."""
        lenient = self._case.leniently()
        if lenient is None or lenient.read(answer) != []:
            return None
        said = f"{self._param}={place}, behind the end, is answered without {self._case.place.path}"
        return End(evidence=said, documents=lenient.place.path)

    def _error(self, answer: Response, place: int, pages: Member | None) -> Steps[End]:
        said = f"{self._param}={place}, behind the end, is answered with {answer.status}"
        is_a_limit = self._case.declared is None and LIMIT.search(answer.body.decode(errors="replace"))
        if answer.status in (NOT_FOUND, NO_CONTENT) and not is_a_limit:
            return self._by_pages(pages, "", said, past_end=[str(answer.status)])
        if self._case.declared is not None and httpx.codes.is_client_error(answer.status):
            last = self._last(pages)  # behind so many documents an error is the end
            is_there = last is not None and bool(self._case.read((yield from self._ask(last))))
            return self._by_pages(pages, "" if is_there else f"nothing stands where {self._total()} puts the end", said)
        return self._by_pages(pages, f"{said}: whether that is the end, or as far as the API goes, is not known")

    def _total(self) -> str:
        return self._case.total.path if self._case.total else "nothing"

    def _by_pages(self, pages: Member | None, doubt: str, evidence: str = "", **more: Any) -> End:
        """The number of pages says where the end is, whatever stands behind it."""
        if pages is None or not self._is_pages:
            return End({} if doubt else more, doubt, evidence)
        return End({"pages": pages.path}, "", f"{pages.path} says how many pages there are")

    def _is_last(self, found: Sequence[Any], last: int | None) -> bool:
        """Is this the page that stands at the end, rather than as many documents from the end as a page holds?"""
        if self._is_pages:
            return last is not None or len(found) < self._case.count
        declared = self._case.declared
        return declared is not None and last is not None and len(found) == declared - (last - self._start)

    def _is_apart(self, found: Sequence[Any], last: int | None) -> Steps[bool]:
        """Is none of these documents on the page before the last one?"""
        if last is None or not self._is_pages or last == self._start:
            return True
        before = self._case.read((yield from self._ask(last - 1)))
        return bool(before) and relation(before or [], found, self._case.key) is Relation.NEW

    def _documents(self, found: Sequence[Any], place: int, pages: Member | None) -> Steps[End]:
        """There is more than expected, or a page from before again."""
        if self._case.relation(found) is Relation.SAME:
            return self._by_pages(pages, f"{self._param}={place}, behind the end, brings the first page again")
        last = self._last(pages)
        answer = yield from self._ask(place + 1 if last is None else last)
        is_last_again = relation(self._case.read(answer) or [], found, self._case.key) is Relation.SAME
        said = f"{self._param}={place}, behind the end, brings "
        if is_last_again and self._is_last(found, last) and (yield from self._is_apart(found, last)):
            return self._by_pages(pages, "", f"{said}the last page again")
        if last is None and not is_last_again:
            return (yield from self._look(None, FARTHEST))
        return self._by_pages(pages, f"{said}{len(found)} documents")
