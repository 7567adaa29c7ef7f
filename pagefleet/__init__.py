"""Pagefleet drains paginated HTTP APIs: resumable anywhere, every document once.

The parts, from the page outwards:

    page.py paths.py decode.py          values, where they are in a body, and bytes to documents
    formats.py jsonpath.py markup.py    the same where JSON, or a plain chain of members, is not enough
    bounds.py limits.py                 what a page may hold, and what a crawl allows itself
    paginators/                         rules from one page to the next
    url.py errors.py redaction.py       whose a URL is and where it leads; what can go wrong, by what happens next
    hidden.py                           which values of a description name secrets
    crawl.py source.py                  what a crawl is: a description, or an async generator of yours
    slices.py                           how one crawl becomes parts that are walked beside each other
    crawlfile.py presets/               reading descriptions, and telling what is wrong with them; known APIs
    fetch.py credentials.py walk.py     retries, redirects, the walk: generators that say what to do, without I/O
    reading.py watch.py                 what a response says, and what speaks against the pages of a walk
    merge.py children.py                pages of several answers, and crawls below the documents of a crawl
    resume.py                           where a walk goes on that was left
    probe/                              finding out how an API pages
    addresses.py                        where a process may connect to
    wire.py                             HTTP/1.1 as bytes
    transport.py transport_sync.py      the sockets that ask
    secrets.py inflate.py               what is looked up at the moment of sending; bodies, a small piece at a time
    http.py budget.py window.py         sending, when it may be, and what may be sent ahead
    pages.py handover.py                `pages()` and `documents()`, by `async for` and by `for`
    keys.py scripts/ connection.py      Redis: key names, atomic steps, the one way to it
    tasks.py release.py                 ending a task for certain, and work aside; which release this is
    states.py events.py verdict.py      what a slice can be, what has moved it, and whether a finished crawl is whole
    status.py                           a crawl at one moment, of one slice or of many
    results.py consumer.py              streams side by side, and who reads them
    chain.py audit.py                   whether a crawl in Redis is whole, derived again
    doctor.py                           what may be wrong with a fleet
    fleet.py embedded/ settings.py      `Fleet`, a Redis of our own, what a fleet's processes agree on
    cli/                                `pagefleet`

Workers and schedulers are packages of their own, `pagefleet_worker` and `pagefleet_scheduler`; none is imported here.
"""

from typing import TYPE_CHECKING, Any

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import load
from pagefleet.embedded import embedded
from pagefleet.errors import (
    CrawlCancelled,
    CrawlError,
    CrawlExists,
    CrawlFailed,
    CrawlGoesOn,
    CrawlMissing,
    FetchError,
    FleetError,
    LaterRelease,
    PagefleetError,
    RedisUnusable,
    RetryLater,
    RetryNow,
    Stop,
    Trimmed,
)
from pagefleet.events import Event
from pagefleet.limits import Limits
from pagefleet.page import Document, Page, Response
from pagefleet.pages import Documents, Pages, documents, pages
from pagefleet.paginators import LinkHeader, NextCursor, NextUrl, Offset, PageNumber, Single
from pagefleet.slices import ByPages, ByRange, ByValues
from pagefleet.source import Client, PythonSource, source
from pagefleet.states import State
from pagefleet.status import Status
from pagefleet.verdict import Finding, Verdict

if TYPE_CHECKING:
    from pagefleet.fleet import Fleet, Handle

__all__ = [
    "ByPages",
    "ByRange",
    "ByValues",
    "Client",
    "Crawl",
    "CrawlCancelled",
    "CrawlError",
    "CrawlExists",
    "CrawlFailed",
    "CrawlGoesOn",
    "CrawlMissing",
    "Document",
    "Documents",
    "Event",
    "FetchError",
    "Finding",
    "Fleet",
    "FleetError",
    "Handle",
    "LaterRelease",
    "Limits",
    "LinkHeader",
    "NextCursor",
    "NextUrl",
    "Offset",
    "Page",
    "PageNumber",
    "PagefleetError",
    "Pages",
    "PythonSource",
    "RedisUnusable",
    "Response",
    "RetryLater",
    "RetryNow",
    "Single",
    "State",
    "Status",
    "Stop",
    "Trimmed",
    "Verdict",
    "documents",
    "embedded",
    "load",
    "pages",
    "source",
]


def __getattr__(name: str) -> Any:
    """What needs Redis is imported when it is asked for: to read documents takes none, and redis-py 60 ms."""
    if name not in ("Fleet", "Handle"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pagefleet import fleet  # noqa: PLC0415

    return getattr(fleet, name)
