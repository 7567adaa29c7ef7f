"""What a probe has found out: values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import parse


class Confidence(StrEnum):
    """In one finding."""

    VERIFIED = "verified"
    """Another request showed it."""
    LIKELY = "likely"
    """The first answer shows it."""
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a crawl file says, and why."""

    topic: str
    value: str
    confidence: Confidence
    evidence: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A description that was not verified, and why not."""

    said: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class Probed:
    """The outcome. `said` is a crawl as plain data, and `is_verified` says that its second page was fetched and is new,
    or that there is provably one page."""

    url: str
    said: Mapping[str, Any]
    is_verified: bool
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    guesses: tuple[Guess, ...] = ()
    why_not: str = ""
    """Why nothing is verified."""
    requests: int = field(default=0, compare=False)

    def crawl(self) -> Crawl:
        """The crawl itself; raises `CrawlError` when it lacks something."""
        return parse(self.said, f"what was found at {self.url}")
