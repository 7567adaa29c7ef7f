"""The verdict on a finished crawl, from its counts and signals alone: is it whole, and if not, why not."""

from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """What a verdict says."""

    COMPLETE = "complete"
    SUSPECT = "suspect"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Signals:
    """What a verdict weighs. `total` is the last number that the source declared; `drifts` counts pages that changed
    at the source between their parts; `doubt` is the last page's (`Page.doubt`)."""

    documents: int
    total: int | None = None
    drifts: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding and its reasons, each a word for machines and a sentence for people."""

    finding: Finding
    reasons: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return ": ".join([self.finding.value, *(sentence for _, sentence in self.reasons[:1])])


DOUBTS = {
    "no-pointer": "nothing stood where paginate looks for a second page; correct it, or say where the total is",
    "no-total": "no page had a number where total says that it is; correct it",
}


def judge(signals: Signals) -> Verdict:
    """Complete, unless something speaks against it."""
    reasons: list[tuple[str, str]] = []
    finding = Finding.COMPLETE
    if signals.total is not None and signals.documents > signals.total:
        reasons.append(("above-total", f"{signals.documents} documents, but the source declared {signals.total}"))
        finding = Finding.SUSPECT
    if signals.doubt:
        reasons.append((signals.doubt, DOUBTS[signals.doubt]))
        finding = Finding.SUSPECT
    if signals.drifts:
        reasons.append(("drift", f"{signals.drifts} pages changed at the source while they were committed in parts"))
        finding = Finding.SUSPECT
    if signals.total is not None and signals.documents < signals.total:
        reasons.insert(0, ("below-total", f"{signals.documents} documents, but the source declared {signals.total}"))
        finding = Finding.TRUNCATED
    return Verdict(finding, tuple(reasons))
