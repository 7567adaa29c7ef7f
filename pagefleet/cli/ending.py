"""How a command ends: with a status and, after an error, with one line on stderr that says why.

0    finished, and complete
1    failed: what was asked for could not be done, or not to its end; what is done is kept
2    usage: it cannot be done as it was asked for
3    finished, and the verdict is not that all is there: suspect or truncated
4    not verified: nobody can say for certain how a URL is paginated, so nothing was started
130  interrupted
"""

import sys
from typing import NoReturn

from pagefleet.errors import CrawlError, CrawlExists, CrawlGoesOn, CrawlMissing, PagefleetError

FAILED, USAGE, INCOMPLETE, UNVERIFIED, INTERRUPTED = 1, 2, 3, 4, 130


class Refused(PagefleetError):
    """The command cannot be carried out as it was given."""


def end(error: PagefleetError) -> NoReturn:
    """End with an error's line (several, if that is how many mistakes a crawl file has) and status."""
    words = str(error)
    if words.count("\n  ") == 1:
        words = words.replace("\n  ", " ")
    fail(words, USAGE if isinstance(error, CrawlError | CrawlExists | CrawlGoesOn | CrawlMissing | Refused) else FAILED)


def fail(line: str, status: int) -> NoReturn:
    """End with this line and status."""
    print(f"pagefleet: {line}", file=sys.stderr)
    raise SystemExit(status)
