"""What a cursor may be asked to do: come again, and stand on the last page. Found out by asking with one twice."""

from collections.abc import Mapping
from typing import Any

from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.sameness import Relation, relation
from pagefleet.probe.trial import tried

TWO = 2


def habits(asking: Asking, case: Case, trial: Trial) -> Steps[tuple[Mapping[str, Any], str]]:
    """What to add to the paginator of a cursor, and what showed it."""
    answer = yield from asking.ask(trial.second_url, afresh=True)
    again = case.read(answer)
    if again is not None and relation(trial.pages()[1], again, case.key) is Relation.SAME:
        if trial.paginate.keys() & {"more", "done", "repeated"}:
            return {}, ""
        said = "the same cursor brought the same page again, so a page that names its own cursor is the last"
        return {"repeated": "end"}, said
    pages = trial.fetched
    is_constant = len(pages) > TWO and pages[0].cursor == pages[1].cursor
    more = {"replay": "advancing" if again is not None else "single-use", "fallback": "restart"}
    return {**more, **({"empty": "end"} if is_constant else {})}, "the same cursor did not bring the same page again"


def is_endless(asking: Asking, case: Case, trial: Trial) -> Steps[tuple[Mapping[str, Any], str]]:
    """What to add where it goes on behind the last document, or why that is not certain."""
    counts = [len(page) for page in trial.pages()]
    if counts[-1] and case.declared == sum(counts) and trial.walked and not trial.walked.is_over:
        trial = yield from tried(asking, case, trial.said, "", len(counts) + 1)  # all are there, and it leads on
        counts = [len(page) for page in trial.pages()]
    walked = trial.walked
    if walked is None or walked.is_over:
        return {}, ""
    if walked.stop:
        return {}, f"behind the last page: {walked.stop}"
    if counts[-1] or "empty" in trial.paginate:
        return {}, ""
    if case.declared == sum(counts) and trial.kind == "cursor":
        return {"empty": "end"}, ""
    return {}, f"page {len(counts)} is empty and leads on; whether that is the end is not known"


def with_end(asking: Asking, case: Case, trial: Trial) -> Steps[Trial]:
    """The same, if what stopped it is its last page, which names the cursor that it was asked with."""
    walked, pages = trial.walked, trial.fetched
    if walked is None or not walked.stop or trial.standing is not Standing.UNSURE or len(pages) < TWO:
        return trial
    is_constant = pages[0].cursor == pages[1].cursor
    if "names itself" in walked.stop:  # and holds nothing
        more = {"empty": "end"} if is_constant else {"repeated": "end"}
    elif "very documents" in walked.stop and pages[-1].cursor == pages[-2].cursor and _is_all(case, trial):
        more = {"repeated": "end"}
    else:
        return trial
    said = trial.with_paginate(more).said
    return (yield from tried(asking, case, said, "its last page names itself as the next one", len(pages) + 1))


def _is_all(case: Case, trial: Trial) -> bool:
    counts = [len(page.documents) for page in trial.fetched]
    return case.declared == sum(counts) if case.declared is not None else counts[-1] < counts[0]
