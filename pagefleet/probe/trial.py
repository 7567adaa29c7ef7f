"""A description put to the test: the very crawl that would run fetches its first pages, and these are compared."""

import json
from collections.abc import Mapping
from typing import Any

from pagefleet.errors import CrawlError
from pagefleet.probe.asking import Asking, Steps, Walked
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.sameness import Relation, is_of_one_shape, relation

PAGES = 4
"""So many are fetched of a candidate that holds."""
NEEDED = 3
"""Requests that it takes to confirm one."""


def affordable(asking: Asking) -> int:
    """So many pages."""
    return min(PAGES, max(2, asking.left - NEEDED))


def tried(asking: Asking, case: Case, said: Mapping[str, Any], evidence: str, pages: int) -> Steps[Trial]:
    """What came of a candidate, by so many pages."""
    try:
        walked = yield from asking.walk(said, pages)
    except CrawlError as error:
        return Trial(said, Standing.REFUTED, str(error).replace("\n ", ""))
    standing, found = judged(case, walked)
    words = f"{evidence}; {found}" if standing <= Standing.ENDS else found
    return Trial(said, standing, words, walked, is_mixed="some of the documents" in found)


def judged(case: Case, walked: Walked) -> tuple[Standing, str]:
    """What the pages of a candidate show, and in words."""
    pages = [[json.loads(one) for one in page.documents] for page in walked.pages]
    if fault := _fault(case, pages) if pages else walked.stop:
        return Standing.REFUTED, fault
    is_new = any(pages[1:])
    if walked.stop:
        standing = Standing.UNSURE if is_new else Standing.REFUTED
        return standing, f"page {len(pages) + 1} cannot be had: {walked.stop}"
    if is_new:
        return Standing.VERIFIED, _counted(pages, walked)
    if walked.is_over:
        return Standing.ENDS, "there is one page"
    return Standing.UNSURE, f"{len(pages) - 1} empty pages follow, and they lead on"


def _fault(case: Case, pages: list[list[Any]]) -> str:
    """What speaks against pages being one collection, each document once."""
    if (found := case.relation(pages[0])) is not Relation.SAME:
        return f"its first page holds {found.value} than the URL itself"
    for number, page in enumerate(pages[1:], 2):
        for before, other in enumerate(pages[: number - 1], 1):
            found = relation(other, page, case.key) if page and other else Relation.NEW
            if found is Relation.SAME:
                return f"page {number} holds the documents of page {before} again"
            if found is not Relation.NEW:
                return f"page {number} holds some of the documents of page {before} again"
        if page and not is_of_one_shape(pages[0], page):
            return f"the documents of page {number} are of another kind"
    return ""


def _counted(pages: list[list[Any]], walked: Walked) -> str:
    counts = [str(len(page)) for page in pages]
    end = ", and that is the end" if walked.is_over else ""
    return f"fetched {len(pages)} pages of {', '.join(counts)} documents, none twice{end}"
