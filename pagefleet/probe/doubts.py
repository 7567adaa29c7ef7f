"""What speaks against a description that holds: each check answers a sentence, or nothing."""

from collections.abc import Sequence

from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.observation import whole_number
from pagefleet.probe.params import OFFSETS, PAGE_NUMBERS
from pagefleet.probe.pointers import links
from pagefleet.probe.sameness import Relation, relation
from pagefleet.probe.trial import tried
from pagefleet.probe.words import plain

CLOSE = 2.0
"""Points between two places of documents that may be confused."""
COUNTING = frozenset({"offset", "page"})
LINKING = frozenset({"link_header", "next_url", "link_object"})
TWO = 2


def is_in_the_middle(case: Case, trial: Trial) -> str:
    """Does the URL ask for a later page, so that its links miss those before?"""
    for name, value in case.observation.asked().items():
        number, is_counting = whole_number(value), plain(name) in OFFSETS | PAGE_NUMBERS
        if is_counting and number is not None and number > 1 and trial.kind not in COUNTING:
            return f"the URL asks for {name}={value}, and what comes before would be missed; give it without {name}"
    return ""


def is_elsewhere(asking: Asking, cases: Sequence[Case], case: Case, trial: Trial) -> Steps[str]:
    """Is there another array that is as likely, and that is as new on the second page?"""
    for other in cases:
        if other is case or other.place.score <= case.place.score - CLOSE or not other.documents:
            continue
        if trial.standing is Standing.VERIFIED:
            found = other.read((yield from asking.ask(trial.second_url)))
            if not found or other.relation(found) is Relation.SAME:
                continue
        return f"the documents may be at {case.place.path} or at {other.place.path}"
    return ""


def is_unstable(asking: Asking, case: Case, trial: Trial, remarks: list[str]) -> Steps[str]:
    """The URL itself, asked for a second time, unless another has brought the same already."""
    if trial.first_url != case.url:
        return ""
    answer = yield from asking.ask(case.url, afresh=True)
    again = case.read(answer)
    found = None if again is None else case.relation(again)
    if found is Relation.SHIFTED and trial.kind not in COUNTING:
        remarks.append("new documents come at the front while it is read")
        return ""
    if found is Relation.SAME:
        return ""
    said = found.value if found else f"an answer {answer.status} without documents"
    return f"asked twice, the URL brings {said}: the order of its documents is not stable"


def is_said_otherwise(asking: Asking, case: Case, trial: Trial, remarks: list[str]) -> Steps[str]:
    """Do other links lead to another second page?"""
    if trial.kind not in LINKING:
        return ""
    for candidate in links(case.observation):
        if candidate.paginate == trial.paginate:
            continue
        other = yield from tried(asking, case, case.said(candidate.paginate), "", TWO)
        pages = other.pages()
        if other.standing is Standing.REFUTED or len(pages) < TWO:
            remarks.append(f"{candidate.evidence}, which leads nowhere: {other.evidence}")
        elif relation(trial.pages()[1], pages[1], case.key) is not Relation.SAME:
            return f"{trial.evidence.partition(';')[0]}, but {candidate.evidence}, and they lead to different pages"
    return ""
