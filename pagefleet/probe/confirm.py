"""A description that holds is confirmed: its total, its end, the same answer twice, links that agree.

Whatever contradicts it makes it a guess. In the end the whole description is walked once more, from what is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pagefleet.decode import is_array
from pagefleet.errors import CrawlError, Stop
from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.cursors import habits, is_endless
from pagefleet.probe.doubts import COUNTING, is_elsewhere, is_in_the_middle, is_said_otherwise, is_unstable
from pagefleet.probe.ends import Beyond
from pagefleet.probe.finding import Confidence, Finding, Guess, Probed
from pagefleet.probe.observation import Member
from pagefleet.probe.pointers import flags
from pagefleet.probe.sameness import key_of
from pagefleet.probe.totals import is_refuted, totals
from pagefleet.probe.trial import judged

GUESSES = 3
ORDER = ("url", "headers", "format", "namespaces", "documents", "key", "total", "paginate")


def confirmed(
    asking: Asking, cases: Sequence[Case], case: Case, trial: Trial, failed: Sequence[Trial]
) -> Steps[Probed]:
    """The outcome of a trial that holds."""
    confirming = _Confirming(asking, cases, case, trial)
    doubt = yield from confirming.run()
    if doubt:
        guesses = (Guess(confirming.said, doubt), *_guesses(failed))[:GUESSES]
        return replace(unverified(case, failed, doubt), said=confirming.said, guesses=guesses)
    findings, remarks = tuple(confirming.findings), tuple(confirming.remarks)
    return Probed(case.url, confirming.said, is_verified=True, findings=findings, remarks=remarks)


def unverified(case: Case, failed: Sequence[Trial], why_not: str) -> Probed:
    """The outcome when nothing holds: what is likely, and what was tried."""
    said = {name: value for name, value in case.said({}).items() if name != "paginate"}
    findings = [Finding("documents", case.place.path, Confidence.LIKELY, case.place.why)]
    if case.key:
        findings.append(Finding("key", case.key, Confidence.LIKELY, f"another one in each of {case.count} documents"))
    if case.total:
        said["total"] = case.total.path
        findings.append(Finding("total", case.total.path, Confidence.UNSURE, f"it holds {case.total.value}"))
    return Probed(case.url, said, False, tuple(findings), (), _guesses(failed), why_not)


def _guesses(failed: Sequence[Trial]) -> tuple[Guess, ...]:
    ranked = sorted(failed, key=lambda trial: trial.standing)
    return tuple(Guess(trial.said, trial.evidence) for trial in ranked[:GUESSES])


@dataclass
class _Confirming:
    """One trial on its way to a crawl."""

    asking: Asking
    cases: Sequence[Case]
    case: Case
    trial: Trial
    findings: list[Finding] = field(default_factory=list[Finding])
    remarks: list[str] = field(default_factory=list[str])

    @property
    def said(self) -> Mapping[str, Any]:
        return self.trial.said

    def run(self) -> Steps[str]:
        """Why it does not hold after all; nothing when it does."""
        doubt = is_in_the_middle(self.case, self.trial)
        doubt = doubt or (yield from is_elsewhere(self.asking, self.cases, self.case, self.trial))
        if doubt:
            return doubt
        self._find("documents", self.case.place.path, self.case.place.why)
        if not self.case.documents:
            self._late_key()
        if self.case.key:
            count = sum(map(len, self.trial.pages()))
            self._find("key", self.case.key, f"another one in each of {count} documents")
        self._choose_total()
        self._find("paginate", self.trial.kind, self.trial.evidence)
        if self.trial.standing is Standing.VERIFIED:
            doubt = yield from self._second_page()
        return doubt or (yield from self._whole())

    def _second_page(self) -> Steps[str]:
        """All that there is to ask about a paginator that leads to a second page."""
        if self.trial.kind in (*COUNTING, "keyset"):
            self._flag()
        doubt = (yield from self._end()) or (yield from self._cursor())
        doubt = doubt or (yield from is_unstable(self.asking, self.case, self.trial, self.remarks))
        return doubt or (yield from is_said_otherwise(self.asking, self.case, self.trial, self.remarks))

    def _find(self, topic: str, value: str, evidence: str) -> None:
        self.findings.append(Finding(topic, value, Confidence.VERIFIED, evidence))

    def _add(self, more: Mapping[str, Any], evidence: str) -> None:
        """To the paginator."""
        self.trial = self.trial.with_paginate(more)
        if evidence:
            for name, value in more.items() or [("end", "an empty page")]:
                self._find(name, " ".join(map(str, value)) if is_array(value) else str(value), evidence)

    def _late_key(self) -> None:
        """From the first page that holds something."""
        full = next((page for page in self.trial.pages() if page), list[Any]())
        self.case = replace(self.case, key=key_of(full))
        if self.case.key:
            self.trial = replace(self.trial, said={**self.said, "key": self.case.key})

    def _choose_total(self) -> None:
        """The number of all documents that the pages do not contradict."""
        walked = self.trial.walked
        counts = [len(page.documents) for page in walked.pages] if walked else []
        is_over = walked is not None and walked.is_over
        held: list[Member] = []
        for one in totals(self.case.observation, self.case.count):
            if is_refuted(int(one.value), counts, is_over=is_over):
                self.remarks.append(f"{one.path} is not the number of all documents: it holds {one.value}")
            else:
                held.append(one)
        self.case = replace(self.case, total=held[0] if held else None)

    def _flag(self) -> None:
        """A member that says whether there is more, if it says so of the first page."""
        said = [flag for flag in flags(self.case.observation) if flag.says_more]
        if said:
            self._add({said[0].field: said[0].member.path}, f"{said[0].member.path} says that there is more")

    def _end(self) -> Steps[str]:
        if self.trial.kind not in COUNTING:
            return ""
        end = yield from Beyond(self.asking, self.case, self.trial).look()
        if end.doubt:
            return end.doubt
        self._add(end.more, end.evidence)
        if end.documents:
            self.case = replace(self.case, place=replace(self.case.place, path=end.documents))
            self.trial = replace(self.trial, said={**self.said, "documents": end.documents})
            self.findings = [replace(f, value=end.documents) if f.topic == "documents" else f for f in self.findings]
        return ""

    def _cursor(self) -> Steps[str]:
        if self.trial.kind in (*COUNTING, "keyset"):
            return ""
        if self.trial.kind == "cursor":
            self._add(*(yield from habits(self.asking, self.case, self.trial)))
        more, doubt = yield from is_endless(self.asking, self.case, self.trial)
        self._add(more, "all documents are there, and the cursors go on" if more else "")
        return doubt

    def _whole(self) -> Steps[str]:
        """The description as it will run."""
        total = self.case.total
        said = self.case.with_namespaces({**self.said, **({"total": total.path} if total else {})})
        self.trial = replace(self.trial, said={name: said[name] for name in ORDER if name in said})
        try:
            whole = yield from self.asking.walk(self.said, len(self.trial.pages()))
        except (CrawlError, Stop) as error:
            return str(error)
        standing, found = judged(self.case, whole)
        if standing > Standing.ENDS:
            return found
        counts = [len(page.documents) for page in whole.pages]
        if total is None:
            return ""
        seen = sum(counts) if whole.is_over else None
        self._found_total(total, [page.total for page in whole.pages], seen)
        if seen not in (None, int(total.value)):
            return f"{total.path} declares {total.value} documents, and the pages end after {seen}"
        return ""

    def _found_total(self, total: Member, said: Sequence[int | None], seen: int | None) -> None:
        """How sure it is: all documents were seen, or later pages say the same."""
        is_said_again = len(said) > 1 and set(said) == {int(total.value)}
        confidence = Confidence.VERIFIED if is_said_again or seen == int(total.value) else Confidence.LIKELY
        again = f", on {len(said)} pages" if is_said_again else ""
        all_of_them = ", and so many there are" if seen == int(total.value) else ""
        place = next((n for n, one in enumerate(self.findings) if one.topic == "paginate"), len(self.findings))
        self.findings.insert(
            place, Finding("total", total.path, confidence, f"it holds {total.value}{again}{all_of_them}")
        )
