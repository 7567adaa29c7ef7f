"""APIs that go on behind a document of ours: which parameter takes its key."""

from typing import Any

from pagefleet.paths import parse_path
from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.counting import effective
from pagefleet.probe.params import COMMON_KEYSETS, KEYSETS, first_of
from pagefleet.probe.sameness import Relation, identities, value_at
from pagefleet.probe.trial import tried

ENOUGH = 2
"""Documents on the first page that it takes to see what a parameter means."""


def keyset(asking: Asking, case: Case, *, is_more: bool) -> Steps[Trial | None]:
    """What came of going on behind the last document's key; None when nothing speaks for it."""
    asked = first_of(case.observation.params(), KEYSETS)
    if not case.key or case.count < ENOUGH or not (is_more or asked):
        return None
    last = value_at(case.documents[-1], parse_path(case.key))
    names = list(dict.fromkeys([*asked, *(COMMON_KEYSETS if is_more else ())]))
    name = yield from effective(asking, case, names, last)
    if name is None:
        return Trial(
            case.said({"kind": "keyset", "field": case.key}), Standing.REFUTED, "no parameter takes the last key"
        )
    paginate: dict[str, Any] = {"kind": "keyset", "field": case.key, "param": name}
    said = case.said(paginate, without=(name,))
    if not (yield from _goes_on_behind(asking, case, name)):
        return Trial(said, Standing.REFUTED, f"{name} does not mean what comes behind a document")
    return (yield from tried(asking, case, said, f"{name} takes the last document's {case.key}", 3))


def _goes_on_behind(asking: Asking, case: Case, name: str) -> Steps[bool]:
    """Behind the last document but one comes the last one."""
    before = value_at(case.documents[-2], parse_path(case.key or ""))
    answer = yield from asking.ask(case.with_params({name: before}))
    found = case.read(answer) or []
    is_last = identities(found[:1], case.key) == identities(case.documents[-1:], case.key)
    return is_last and case.relation(found) is not Relation.SAME
