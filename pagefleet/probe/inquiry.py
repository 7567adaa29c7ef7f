"""The course of a probe, without I/O: a generator that yields `Send` and `Wait`, and returns what was found out.

inquire(url, headers)     ask the URL itself; observe
                          for each place of the documents: links, cursors, counting, keysets, until one holds
                          confirm: the total, the end, the same answer twice, links that agree
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx

from pagefleet.crawlfile import parse
from pagefleet.errors import Stop
from pagefleet.page import Response
from pagefleet.probe.asking import Asking, Spent, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.confirm import confirmed, unverified
from pagefleet.probe.counting import Counting
from pagefleet.probe.finding import Probed
from pagefleet.probe.keysets import keyset
from pagefleet.probe.observation import Observation
from pagefleet.probe.observe import observe
from pagefleet.probe.pointers import empty_pointers, flags, names_next
from pagefleet.probe.pointing import Pointing
from pagefleet.probe.sameness import key_of
from pagefleet.probe.totals import totals
from pagefleet.probe.trial import tried
from pagefleet.url import safe

PLACES = 3
"""So many arrays are considered."""
NEAR = 4.0
"""Points by which one may be behind the likeliest."""
CERTAIN = 2
"""Signs of the only page, by which it is known without asking for another. As many it takes where a next one is named
all the same: Paddle's last page does, and so does a first one whose cursor goes nobody knows where."""


def inquire(url: str, headers: Mapping[str, str]) -> Steps[Probed]:
    """What there is to know about a URL. Raises `CrawlError` for a URL that no crawl may have, `Stop` without an answer
    that documents are read from."""
    url = crawlable(url, headers)
    asking = Asking(url, headers)
    response = yield from asking.ask(url)
    observation = _observed(response)
    cases = list(_cases(observation, headers))
    if not cases:
        raise Stop(f"reading {safe(url)}: {_nothing_in(observation)}")
    search = _Search(asking, cases)
    try:
        found = yield from search.run()
    except Spent:
        found = search.unfinished(f"after {asking.sent} requests nothing is certain")
    return replace(found, requests=asking.sent)


def crawlable(url: str, headers: Mapping[str, str]) -> str:
    """The URL as requests have it; raises `CrawlError` when no crawl may have it."""
    return str(httpx.URL(parse({"url": url, "headers": headers, "paginate": {"kind": "none"}}, "the URL").url))


def _observed(response: Response) -> Observation:
    if response.status >= 300:  # noqa: PLR2004
        head = response.body[:120].decode(errors="replace").split("\n")[0]
        advice = {
            401: "give -H 'Authorization: Bearer env:TOKEN', or whatever the API wants",
            403: "give -H 'Authorization: Bearer env:TOKEN', or whatever the API wants",
            404: "check the URL",
            405: 'this API is asked by POST: write a crawl file with method = "POST" and a body',
        }
        hint = advice.get(response.status, "check the URL and its parameters")
        raise Stop(f"fetching {safe(response.url)}: the server answered {response.status} {head!r}; {hint}")
    try:
        return observe(response)
    except Stop as stop:
        kind = response.headers.get("content-type", "no content type")
        raise Stop(f"reading {safe(response.url)} ({kind}): {stop}") from stop


def _nothing_in(observation: Observation) -> str:
    if observation.format == "html":
        from pagefleet.probe.elements import described_html  # noqa: PLC0415 — an extra

        return f"it is HTML, {described_html(observation.response.body)}; give the URL of an API, or of a list in pages"
    if observation.format == "auto":
        names = ", ".join(repr(member.name) for member in observation.members[:8] if "." not in member.path)
        return f"there is no array of documents in it, only {names or 'a single value'}; give the URL of a collection"
    return "no elements repeat in it, so which of them are documents cannot be seen; give a URL that brings several"


def _cases(observation: Observation, headers: Mapping[str, str]) -> Iterator[Case]:
    """The first answer, with each of the likely places for its documents."""
    if observation.format == "html" and not any(member.name == "next" for member in observation.members):
        return
    places = [place for place in observation.places if place.score > 0] or list(observation.places[:1])
    for place in places[: PLACES if observation.format != "html" else 2 * PLACES]:
        if observation.format == "html" or place.score > places[0].score - NEAR:
            key = None if observation.format == "html" else key_of(place.documents)
            found = totals(observation, len(place.documents))
            yield Case(observation, place, headers, key, found[0] if found else None)


class _Search:
    """For a description that holds."""

    def __init__(self, asking: Asking, cases: list[Case]) -> None:
        self._asking, self._cases = asking, cases
        self._failed: list[Trial] = []
        self._notes: list[str] = []

    def run(self) -> Steps[Probed]:
        """The outcome."""
        is_empty = not self._cases[0].documents  # then others are no likelier: Datasette names its keys beside no rows
        full = [] if is_empty else [case for case in self._cases if case.documents]
        for find in (self._by_pointer, self._by_counting, self._by_keyset, self._by_rarer_counting):
            for case in full or (self._cases[:1] if find == self._by_pointer else []):
                trial = yield from find(case)
                if trial is not None:
                    return (yield from confirmed(self._asking, self._cases, case, trial, self._failed))
        for case in full or self._cases[:1]:
            trial = yield from self._one_page(case)
            if trial is not None:
                return (yield from confirmed(self._asking, self._cases, case, trial, self._failed))
        return self.unfinished(self._why_not())

    def unfinished(self, why_not: str) -> Probed:
        """The outcome when nothing is certain."""
        return replace(unverified(self._cases[0], self._failed, why_not), remarks=tuple(self._notes))

    def _why_not(self) -> str:
        case = self._cases[0]
        if case.says_more and case.total:
            return (
                f"{case.total.path} declares {case.declared} documents, and nothing leads to those behind {case.count}"
            )
        if not case.documents:
            return "there are no documents, so there is nothing to learn from; give a URL that brings some"
        return "nothing leads to a second page, and nothing says that there is none"

    def _keep(self, trial: Trial) -> Trial | None:
        """The trial, if it holds; else it is noted."""
        if trial.standing <= Standing.ENDS:
            return trial
        self._failed.append(trial)
        return None

    # Ways to the next page

    def _by_pointer(self, case: Case) -> Steps[Trial | None]:
        held = [self._keep(trial) for trial in (yield from Pointing(self._asking, case).search())]
        return next((trial for trial in held if trial), None)

    def _by_keyset(self, case: Case) -> Steps[Trial | None]:
        is_more = any(flag.says_more for flag in flags(case.observation))
        trial = yield from keyset(self._asking, case, is_more=is_more)
        return self._keep(trial) if trial else None

    def _by_counting(self, case: Case) -> Steps[Trial | None]:
        if not case.says_more and len(_signs_of_one_page(case)) >= CERTAIN:
            return None
        held = [self._keep(trial) for trial in (yield from Counting(self._asking, case).one_by_one())]
        return next((trial for trial in held if trial), None)

    def _by_rarer_counting(self, case: Case) -> Steps[Trial | None]:
        is_hopeless = any(trial.is_mixed for trial in self._failed)
        if is_hopeless or (not case.says_more and len(_signs_of_one_page(case)) >= CERTAIN):
            return None
        counting = Counting(self._asking, case)
        held = [self._keep(trial) for trial in (yield from counting.all_at_once())]
        self._notes += counting.notes
        return next((trial for trial in held if trial), None)

    # One page

    def _one_page(self, case: Case) -> Steps[Trial | None]:
        if case.says_more:
            return None
        signs = _signs_of_one_page(case)
        if names_next(case) and len(signs) < CERTAIN:
            return None
        for paginate, evidence in signs:
            trial = yield from tried(self._asking, case, case.said(paginate), evidence, 1)
            if trial.standing is Standing.ENDS:
                return trial
        return None


def _signs_of_one_page(case: Case) -> list[tuple[Mapping[str, Any], str]]:
    """What says that there is nothing but this page, and the paginator that goes with it."""
    found: list[tuple[Mapping[str, Any], str]] = []
    found += [(one.paginate, one.evidence) for one in empty_pointers(case)][:1]
    said = flags(case.observation)
    if said and not any(flag.says_more for flag in said):
        found.append(({"kind": "none"}, f"{said[0].member.path} says that there is no more"))
    if case.total and case.declared == case.count:
        found.append(({"kind": "none"}, f"{case.total.path} declares {case.declared} documents, and all are there"))
    return found
