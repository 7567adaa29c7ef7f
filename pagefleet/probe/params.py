"""What real APIs call the parameters of their requests, by `plain` names."""

import re
from collections.abc import Iterable

from pagefleet.probe.words import plain, words

SIZES = words("""
    limit perpage pagesize size rows count top max maxresults n num take first hitsperpage itemsperpage resultsperpage
    pagelimit retmax resultrecordcount maxitems maxkeys maxrecords length batchsize chunksize pagelength numrows npp
""")
OFFSETS = words("""
    offset skip start from startindex startat firstresult retstart resultoffset startrow startrecord begin startfrom
    startposition pageoffset idisplaystart firstrecord
""")
PAGE_NUMBERS = words("page p pagenumber pageno pagenum pageindex currentpage pg paged pn number pageid")
CURSORS = words("""
    cursor after pagetoken token nexttoken continuationtoken continuation startingafter cursormark scrollid marker
    bookmark next resumptiontoken pageinfo startcursor pagecursor pageafter continue pagestate nextcursor searchafter
    paginationtoken nextpagetoken scroll
""")
KEYSETS = words("startingafter after sinceid afterid lastid idabove idafter fromid minid since last maxid")
PARTNERS = {
    "limit": ("offset", "page", "skip", "start"),
    "rows": ("start", "offset", "page"),
    "perpage": ("page",),
    "pagesize": ("page", "pageNumber", "pageIndex", "pageNo"),
    "size": ("page", "from", "offset"),
    "count": ("startIndex", "start", "offset", "page"),
    "max": ("offset", "start", "page"),
    "maxresults": ("startAt", "start", "startIndex", "page"),
    "retmax": ("retstart",),
    "take": ("skip",),
    "top": ("skip",),
    "num": ("start", "page"),
    "n": ("start", "page", "offset"),
    "first": ("skip", "offset"),
    "length": ("start",),
    "hitsperpage": ("page",),
    "itemsperpage": ("page",),
    "resultsperpage": ("page", "start"),
    "resultrecordcount": ("resultOffset",),
    "maxrecords": ("startRecord", "startPosition"),
}
"""The parameter that goes with one that says how many."""
BRACKETED = {"size": ("number", "offset", "page"), "limit": ("offset", "page", "number")}
"""The same within `page[...]`."""
TOKEN_PARAMS = {
    "next": ("cursor", "after", "next", "_next", "page_token", "start"),
    "endcursor": ("after",),
    "nextcontinuationtoken": ("continuation-token", "continuationToken", "ContinuationToken"),
    "nextpage": ("page", "page_token", "cursor"),
    "scrollid": ("scroll_id",),
    "lastseq": ("since",),
    "sforcelocator": ("locator",),
    "nextid": ("from_id", "start_id"),
    "nextkey": ("start_key", "startkey", "key"),
    "nextcursor": ("cursor", "start_cursor", "after"),
}
"""Where a token of this name goes, where that cannot be told from the name."""
COMMON_TOKEN_PARAMS = (
    *("cursor", "after", "page_token", "pageToken", "token", "next", "next_token"),
    *(
        "nextToken",
        "next_cursor",
        "continuation",
        "continuation_token",
        "continuationToken",
        "starting_after",
        "start_cursor",
    ),
    *("marker", "bookmark", "scroll_id", "resumptionToken", "page_info", "cursorMark", "_next"),
    *("start_after", "next_page_token", "continue", "nextPageToken", "nextCursor", "resume", "position"),
    *("page[cursor]", "page[after]"),
)
"""Tried all at once where the likeliest have failed."""
COUNTED_TOKEN_PARAMS = ("start", "offset", "skip", "from", "page")
"""These only take numbers."""
COMMON_OFFSETS = ("offset", "start", "skip", "from", "startIndex", "startAt", "_start", "$skip", "$offset")
COMMON_PAGES = (
    *("page", "p", "pageNumber", "pageIndex", "pageNo", "page_number", "page_no"),
    *("pageNum", "page[number]", "_page", "pg", "paged"),
)
COMMON_KEYSETS = ("starting_after", "after", "since_id", "after_id", "last_id", "start_after")


def token_params(name: str) -> list[str]:
    """Where a token of this name goes in most APIs, the likeliest first: `nextPageToken` into `pageToken`."""
    bare = re.sub(r"^[@$_]+", "", name)
    rest = re.sub(r"^(x[-_])?next[-_]?(?=.)", "", bare, flags=re.IGNORECASE)
    rest = rest[0].lower() + rest[1:] if rest != bare and rest[1:2].islower() else rest
    known = TOKEN_PARAMS.get(plain(bare), ())
    if plain(bare) == "nexttoken":
        known = (bare, "token", "page_token")
    return list(dict.fromkeys([*known, rest, bare]))


def partners(size: str) -> list[str]:
    """The parameters that may go with one that says how many, written in its manner: `$limit` with `$offset`."""
    bracketed = re.fullmatch(r"(\w+)\[(\w+)\]", size)
    if bracketed:
        return [f"{bracketed[1]}[{name}]" for name in BRACKETED.get(plain(bracketed[2]), ("number",))]
    mark = size[0] if size[0] in "$_" else ""
    return [mark + name for name in PARTNERS.get(plain(size), ())]


def first_of(names: Iterable[str], known: frozenset[str]) -> list[str]:
    """Those of the names that are known, in their order."""
    return list(dict.fromkeys(name for name in names if plain(name) in known))
