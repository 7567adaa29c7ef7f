"""Which parameter counts documents or pages, and from where: found out by asking.

Of a parameter that counts pages: the second page must be new, and the first one must be the URL's own answer, under 1
or under 0. Of one that counts documents: asked to begin one document earlier, the page must begin with the last
document of the page before it; so neither a page is lost where it counts pages, nor a document where it counts from 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from pagefleet.page import Response
from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.hints import counting_params, is_page_number
from pagefleet.probe.observation import whole_number
from pagefleet.probe.params import COMMON_OFFSETS, COMMON_PAGES, SIZES
from pagefleet.probe.sameness import Relation, identities, relation
from pagefleet.probe.trial import tried
from pagefleet.probe.words import plain

PAGES = 2
"""So many are fetched of a description that holds: what the parameter means has been seen by then."""
NO_CONTENT, NOT_FOUND = 204, 404
SINGLE = 3
"""So many parameters are tried one by one; the others all at once."""


class Counting:
    """Tries parameters for one case."""

    def __init__(self, asking: Asking, case: Case) -> None:
        self._asking, self._case = asking, case
        self.notes: list[str] = []
        self._hinted = counting_params(case.observation, case.count)
        self._singles = list(dict.fromkeys([*self._hinted[:SINGLE], "page", "offset"]))

    def one_by_one(self) -> Steps[list[Trial]]:
        """What came of the likeliest parameters, the best one last."""
        trials: list[Trial] = []
        for name in self._singles:
            trials.append((yield from self.param(name)))
            if trials[-1].standing is not Standing.REFUTED:
                break
        return trials

    def all_at_once(self) -> Steps[list[Trial]]:
        """What came of all others."""
        trials: list[Trial] = []
        for group, value in ((COMMON_OFFSETS, max(2, self._case.count)), (COMMON_PAGES, 2)):
            known = dict.fromkeys([*self._hinted, *group])
            names = [name for name in known if name not in self._singles and _counts(name, group)]
            found = yield from effective(self._asking, self._case, names, value)
            if not found:
                self.notes.append(f"none of {', '.join(names)} = {value} changes the answer")
                continue
            trials.append((yield from self.param(found)))
            if trials[-1].standing is not Standing.REFUTED:
                break
        return trials

    def param(self, name: str) -> Steps[Trial]:
        """What came of one parameter."""
        return (yield from (self._page(name) if is_page_number(name) else self._offset(name)))

    # Pages

    def _page(self, name: str) -> Steps[Trial]:
        """As the URL asks; and by as many as come, where it asks for more and pages go by that."""
        trial = yield from self._page_by(name, {})
        two, _ = yield from self._asked({name: 2})
        if trial.is_mixed or _relation(self._case, two) is Relation.SAME:
            return trial
        for size in self._too_large():
            if trial.standing is Standing.VERIFIED:
                smaller, _ = yield from self._asked({name: int(trial.paginate.get("start", 1)) + 1, **size})
                if not smaller or relation(trial.pages()[1], smaller, self._case.key) is Relation.SAME:
                    continue
            other = yield from self._page_by(name, size)
            if other.standing is Standing.VERIFIED:
                return other
        return trial

    def _page_by(self, name: str, size: Mapping[str, int]) -> Steps[Trial]:
        two, answer = yield from self._asked({name: 2, **size})
        is_refused = two is None and (httpx.codes.is_client_error(answer.status) or answer.status == NO_CONTENT)
        found = Relation.EMPTY if is_refused else _relation(self._case, two)
        paginate: dict[str, Any] = {"kind": "page", "param": name}
        if found not in (Relation.NEW, Relation.EMPTY) or (
            is_refused and (self._case.declared or 0) > 2 * self._case.count
        ):
            return self._refuted(paginate, f"{name}=2 brings {_said(found, answer)}", found)
        start = yield from self._first_page(name, size)
        if start is None or (two is None and start == 1 and not self._is_all()):
            reason = f"neither {name}=0 nor {name}=1 is the first page"
            return self._refuted(paginate, reason if start is None else f"{name}=2 brings {_said(None, answer)}")
        paginate |= {"start": 0} if start == 0 else {}
        paginate |= {"past_end": [str(answer.status)]} if two is None and start == 1 else {}
        for param, count in size.items():
            paginate |= {"size_param": param, "size": count}
        said = self._case.said(paginate, without=(name,))
        return (yield from tried(self._asking, self._case, said, f"{name}={start} is the first page", PAGES))

    def _first_page(self, name: str, size: Mapping[str, int]) -> Steps[int | None]:
        one, _ = yield from self._asked({name: 1, **size})
        if one is None or self._case.relation(one) is Relation.SAME:
            return None if one is None else 1
        zero, _ = yield from self._asked({name: 0, **size})
        is_first = zero is not None and self._case.relation(zero) is Relation.SAME
        return 0 if is_first and self._case.relation(one) is not Relation.MIXED else None

    def _too_large(self) -> list[dict[str, int]]:
        """Parameters that ask for more than come, with the number that comes; none where one asks for just that."""
        asked, count = self._case.observation.asked(), self._case.count
        sizes = {n: int(value) for n, value in asked.items() if plain(n) in SIZES and whole_number(value) is not None}
        return [] if count in sizes.values() else [{n: count} for n, size in sizes.items() if size > count]

    # Documents

    def _offset(self, name: str) -> Steps[Trial]:
        count, paginate = self._case.count, {"kind": "offset", "param": name}
        there, answer = yield from self._asked({name: count})
        if there is None:
            return self._refuted(paginate, f"{name}={count} brings {_said(None, answer)}")
        start = yield from self._start(name, there)
        if start is None:
            found = _said(_relation(self._case, there), answer)
            if self._case.relation(there) in (Relation.NEW, Relation.EMPTY) and count > 1:
                trial = yield from self._page(name)  # then it may count pages
                if trial.standing is not Standing.REFUTED:
                    return trial
            reason = f"{name}={count} brings {found}, and does not count documents"
            return self._refuted(paginate, reason, self._case.relation(there))
        said = self._case.said({**paginate, **({"start": start} if start else {})}, without=(name,))
        evidence = f"{name}={count} is where the first page ends"
        return (yield from tried(self._asking, self._case, said, evidence, PAGES))

    def _start(self, name: str, there: Sequence[Any]) -> Steps[int | None]:
        """0 or 1, if the parameter counts documents; `there` is where a count from 0 has the second page."""
        case, count = self._case, self._case.count
        found = case.relation(there)
        if found is Relation.SAME and count == 1:
            following, _ = yield from self._asked({name: 2})
            is_counted = bool(following) and case.relation(following or ()) is Relation.NEW
            return (yield from self._one_if(name, is_so=is_counted))
        if found in (Relation.NEW, Relation.EMPTY):
            before, _ = yield from self._asked({name: count - 1})
            return 0 if before and self._follows(case.documents[-1:], before, there) else None
        if identities(there, case.key)[:1] == identities(case.documents, case.key)[-1:]:
            following, _ = yield from self._asked({name: count + 1})
            is_counted = following is not None and self._follows(case.documents[-1:], there, following)
            return (yield from self._one_if(name, is_so=is_counted))
        return None

    def _one_if(self, name: str, *, is_so: bool) -> Steps[int | None]:
        """1, unless something else stands at 0: then it counts from 0, and all has moved by one document meanwhile."""
        if not is_so:
            return None
        zero = self._case.read((yield from self._asking.ask(self._case.with_params({name: 0}), afresh=True)))
        return 1 if zero is None or self._case.relation(zero) is Relation.SAME else None

    def _follows(self, last: Sequence[Any], before: Sequence[Any], there: Sequence[Any]) -> bool:
        """Does the page `before` begin with the document `last`, and go on as the page `there`?"""
        ids, known = identities(before, self._case.key), identities([*last, *there], self._case.key)
        return all(one == other for one, other in zip(ids, known, strict=False))

    def _is_all(self) -> bool:
        return self._case.declared == self._case.count

    def _asked(self, params: dict[str, Any]) -> Steps[tuple[list[Any] | None, Response]]:
        response = yield from self._asking.ask(self._case.with_params(params))
        return self._case.read(response), response

    def _refuted(self, paginate: dict[str, Any], reason: str, found: Relation | None = None) -> Trial:
        is_mixed = found in (Relation.MIXED, Relation.SHIFTED)
        return Trial(self._case.said(paginate), Standing.REFUTED, reason, is_mixed=is_mixed)


def effective(asking: Asking, case: Case, names: Sequence[str], value: Any) -> Steps[str | None]:
    """The one of these parameters that changes the answer: all are sent at once, then halves of those that do.

    An API that refuses what it does not know gets the first ones one by one.
    """
    if not names:
        return None
    changes, is_refused = yield from _changes(asking, case, names, value)
    if is_refused and len(names) > 1:
        for name in names[:SINGLE]:
            if (yield from _changes(asking, case, [name], value))[0]:
                return name
    if not changes:
        return None
    while len(names) > 1:
        half = names[: len(names) // 2]
        names = half if (yield from _changes(asking, case, half, value))[0] else names[len(half) :]
    return names[0]


def _changes(asking: Asking, case: Case, names: Sequence[str], value: Any) -> Steps[tuple[bool, bool]]:
    """Do these parameters change the answer, and are they refused?"""
    response = yield from asking.ask(case.with_params(dict.fromkeys(names, value)))
    found = case.read(response)
    if found is None:  # what is not known is refused with another status
        return response.status == NOT_FOUND, httpx.codes.is_client_error(response.status)
    return case.relation(found) is not Relation.SAME, False


def _relation(case: Case, documents: Sequence[Any] | None) -> Relation | None:
    return None if documents is None else case.relation(documents)


def _said(found: Relation | None, answer: Response) -> str:
    return f"an answer {answer.status} without documents" if found is None else found.value


def _counts(name: str, group: Sequence[str]) -> bool:
    return name in group or is_page_number(name) == is_page_number(group[0])
