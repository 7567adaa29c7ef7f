"""Where a walk goes on: the cursor that it is given has to be one of its crawl's, whoever kept it meanwhile."""

import json

from pagefleet.children import is_place
from pagefleet.crawl import Crawl
from pagefleet.decode import is_array, is_object
from pagefleet.errors import LaterRelease, Stop
from pagefleet.page import Cursor
from pagefleet.paginators.numbers import NARROW
from pagefleet.paginators.opaque import CURSOR, FALLEN, KEYSET
from pagefleet.redaction import quoted
from pagefleet.url import safe

REPLAY = "$replay"
"""In a cursor: the cursors of documents that are tried again."""
KINDS = frozenset({REPLAY, NARROW, FALLEN, CURSOR, KEYSET})
"""What tells cursors of ours from those of servers."""


def check(crawl: Crawl, cursor: Cursor) -> None:
    """Raises `Stop` when no page of this crawl can have named this cursor, and `LaterRelease` when a later release may
    have.

    What stands in a cursor of `each` for its parents and its child is checked where they are walked.
    """
    if cursor is None:
        return
    _check_kind(cursor)
    if not (_is_json(cursor) and _fits(crawl, cursor)):
        raise Stop(
            f"going on from the cursor {quoted(cursor)} of {safe(crawl.url)}: no page of such a crawl has one like it; "
            f"give the cursor of a page as that had it, or None to begin at the start"
        )


def _check_kind(cursor: Cursor) -> None:
    """Members of ours begin with a `$`, and the server's own are wrapped where theirs do: a release that adds a kind of
    cursor marks it so, and one that does not know it sends it to nobody."""
    strange = {name for name in map(str, cursor) if name.startswith("$")} - KINDS if is_object(cursor) else set[str]()
    if strange:
        found = f"going on from a cursor with {', '.join(sorted(strange))}: there is no such kind"
        raise LaterRelease(f"{found}; it was committed by a later release, so run that here, too")


def _is_json(cursor: Cursor) -> bool:
    try:
        return bool(json.loads(json.dumps(cursor, allow_nan=False)) == cursor)
    except (TypeError, ValueError, RecursionError):
        return False


def _fits(crawl: Crawl, cursor: Cursor) -> bool:
    if is_object(cursor) and REPLAY in cursor:
        again = cursor[REPLAY] if is_array(cursor[REPLAY]) else list[Cursor]()
        return len(cursor) == 1 and len(again) > 0 and all(is_object(one) and REPLAY not in one for one in again)
    return crawl.paginate.fits(cursor) if crawl.each is None else is_place(cursor)
