"""The verdict on a finished crawl, from its counts and signals alone: is it whole, and if not, why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """What a verdict says."""

    COMPLETE = "complete"
    SUSPECT = "suspect"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Signals:
    """What a verdict weighs. `total` is the last number that the source declared; `doubts` are those of all pages
    (`Page.doubt`), words with blanks between."""

    documents: int
    total: int | None = None
    doubts: str = ""


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
    "no-key": "no document of a page had a key where it is said to be, so none could be told apart; correct it",
    "no-documents": "the last page had none, and no link; it may have been a page of another kind, such as a login",
    "clamped": "the server gave its last page again for a page behind it, and no total says that it was the last",
    "moved": "the crawl lost its place, and went on where the documents were no longer the same",
    "drift": "a page changed at the source while it was committed in parts",
    "overlap": "documents came twice: rows moved at the source under the crawl, and others may have been skipped",
    "shrunk": "the declared total fell under the crawl: rows were removed, and others may have been skipped",
    "short-pages": "pages held fewer documents than were asked for, and more may lie between them; ask for as many as "
    "they held, or say where the total is",
    "child-below-total": "a child had fewer documents than it declared",
    "quarantined": "documents could not be had, and were set aside; `pagefleet replay` tries them again",
    "at-cap": "the API lists no more than this; ask for parts that are smaller",
}
"""What each doubt means."""
GRAVE = frozenset({"at-cap", "child-below-total", "quarantined"})
"""Doubts that are none: something is missing."""
MISSING = GRAVE | {"below-total"}


def judge(signals: Signals) -> Verdict:
    """Complete, unless something speaks against it; the gravest reason first."""
    documents, total = signals.documents, signals.total
    missing, odd = [(w, _meaning(w)) for w in signals.doubts.split() if w in GRAVE], list[tuple[str, str]]()
    if total is not None and documents < total:
        missing.insert(0, ("below-total", f"{documents} documents, but the source declared {total}"))
    if total is not None and documents > total:
        odd.append(("above-total", f"{documents} documents, but the source declared {total}"))
    odd += [(word, _meaning(word)) for word in signals.doubts.split() if word not in GRAVE]
    finding = Finding.TRUNCATED if missing else Finding.SUSPECT if odd else Finding.COMPLETE
    return Verdict(finding, tuple(missing + odd))


def together(parts: Sequence[tuple[str, Verdict]]) -> Verdict:
    """Of all parts of a crawl, each with its name: every reason once, by the first part that has it."""
    found: dict[str, list[str]] = {}
    for name, verdict in parts:
        for word, sentence in verdict.reasons:
            found.setdefault(word, []).append(f"{name}: {sentence}")
    words = sorted(found, key=lambda word: word not in MISSING)
    reasons = [(word, found[word][0] + _others(len(found[word]) - 1)) for word in words]
    is_less = any(verdict.finding is Finding.TRUNCATED for _, verdict in parts)
    finding = Finding.TRUNCATED if is_less else Finding.SUSPECT if reasons else Finding.COMPLETE
    return Verdict(finding, tuple(reasons))


def _others(count: int) -> str:
    return f" (and so in {count} more)" if count else ""


def _meaning(word: str) -> str:
    return DOUBTS.get(word, "a doubt that this version does not know")
