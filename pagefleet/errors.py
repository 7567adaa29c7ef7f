"""Every error, classed by what happens next.

    PagefleetError
    ├── CrawlError            the description of a crawl cannot be used: mend it
    ├── FetchError            a page could not be had
    │   ├── RetryNow          try again in this job, after a short wait
    │   ├── RetryLater        put the slice back; nothing is held against it
    │   ├── CursorDied        go on from a safer position
    │   └── Stop              the crawl fails, with its checkpoint kept
    │       ├── Garbled       the answer cannot be read, and may come whole the next time
    │       └── Exhausted     all attempts are used up; a part of the page may still be had
    └── FleetError            the fleet's Redis, or what is in it
        ├── RedisUnusable     not reachable, or set up so that it would lose documents
        ├── CrawlExists       another crawl has this name
        ├── CrawlMissing      no crawl has this name
        ├── CrawlGoesOn       it is not over, so it cannot be deleted
        ├── CrawlFailed       waited for, or read to its end, and it failed
        │   └── CrawlCancelled    the same, and somebody cancelled it
        ├── Trimmed           the documents asked for have been read and dropped
        └── LaterRelease      a later release wrote it: put the slice back for a worker that knows it

A message says what was being done, what was found, and what to do next.
"""

from pagefleet.redaction import redacted


class PagefleetError(Exception):
    """Anything that Pagefleet raises on purpose."""


class CrawlError(PagefleetError):
    """The description of a crawl cannot be used; the message names the field, the value and the remedy."""


class FetchError(PagefleetError):
    """A page could not be had. What a server said of it may be quoted, without the secrets that it echoes."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


class RetryNow(FetchError):
    """A passing fault: the same request may succeed in a moment.

    `is_sent`: it may have reached the source. `is_page`: the source answered, and stumbled over what was asked for.
    `is_down`: what a source does that is down, whatever it is asked for.
    """

    def __init__(self, message: str, *, is_sent: bool = True, is_page: bool = False, is_down: bool = False) -> None:
        super().__init__(message)
        self.is_sent = is_sent
        self.is_page = is_page
        self.is_down = is_down


class RetryLater(FetchError):
    """The source, or our own budget for it, asks for patience.

    `seconds` is how long, from now; `is_source` tells whether the source said so (then the whole fleet obeys),
    `is_down` whether it looks as if it were down (then the whole fleet shares a few attempts).
    """

    def __init__(self, message: str, seconds: float, *, is_source: bool = False, is_down: bool = False) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.is_source = is_source
        self.is_down = is_down


class CursorDied(FetchError):
    """The source does not know the cursor any more, or has moved on from it unseen: another position is needed."""


class Stop(FetchError):
    """No further request can help until somebody has mended something; the checkpoint is kept."""


class Garbled(Stop):
    """The answer cannot be read at all: perhaps it was cut short. It is asked for again before the crawl fails."""


class Exhausted(Stop):
    """All attempts at one request are used up; `last` is what the last one met."""

    def __init__(self, message: str, last: RetryNow) -> None:
        super().__init__(message)
        self.last = last


class FleetError(PagefleetError):
    """Something about the fleet's Redis, or about what is in it."""


class RedisUnusable(FleetError):
    """Redis cannot be reached, or is set up in a way that would lose documents."""


class CrawlExists(FleetError):
    """Another crawl goes by this name."""


class CrawlMissing(FleetError):
    """No crawl goes by this name."""


class CrawlGoesOn(FleetError):
    """The crawl is not over, and what was asked for is for one that is."""


class CrawlFailed(FleetError):
    """The crawl failed or was cancelled before its end; what it has delivered stays."""


class CrawlCancelled(CrawlFailed):
    """Somebody cancelled the crawl; what it has delivered stays."""


class Trimmed(FleetError):
    """The documents asked for were read by every consumer and then dropped to make room."""


class LaterRelease(FleetError):
    """What a crawl is or where it stands was written by a later release of Pagefleet, and is not understood here."""
