"""What real APIs call the members of their envelopes.

All comparing is done on `plain` names, so that `next_page_token`, `nextPageToken` and `next-page-token` are one.
"""

import re


def plain(name: str) -> str:
    """Letters and digits alone, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Documents

DOCUMENTS = words("""
    data results result items records value values docs documents entries rows list objects content collection hits
    works resources nodes elements features member hydramember entities response graph contents datasets articles
    messages children
""")
"""Arrays of documents; the last part of the URL's path is one, too."""
ASIDE = words("""
    included links link facets facet aggregations aggs errors error warnings warning filters filter sort sorts columns
    fields schema breadcrumbs meta metadata namespaces highlighting suggestions suggest tags categories options
    commonprefixes infomessages parameters params headers debug stats ranges buckets
""")
"""Arrays that stand beside the documents."""

# Counts

TOTALS = words("numfound nbhits odatacount hitcount numbermatched recordsfiltered completelistsize")
"""And whatever has `total` in its name, but for those of one page."""
COUNTS = words("count found matches hits results records matched length resultcount numresults nresults")
"""May be the total, or the number on this page; so may whatever ends in `count`."""
OF_A_PAGE = re.compile(
    "page|perp|limit|returned|current|remaining|shard|time|took|score|facet|error|failed|skipped|cost|max|min|credit"
)
PAGES = words("""
    totalpages totalpage totalpagecount pagecount pagescount nbpages lastpage pages numpages npages maxpage pagestotal
    numberofpages xwptotalpages xtotalpages xpagecount xpages xnumpages
""")

# The next page

NEXT = re.compile(
    "(odata|hydra|dx|x)?next(page|records?|results?|set|batch|chunk)?"
    "(url|uri|link|href|cursor|cursormark|token|pagetoken|marker|key|offset|start|startindex|startat|id|info|number"
    "|continuationtoken|continuation|position|state|path|)"
)
"""Members that name the next page, as a URL or a token; when they are null there is none."""
TOKENS = words("""
    cursor endcursor after continuation continuationtoken continue resumptiontoken resumekey scrollid scroll bookmark
    pagetoken paginationtoken marker token startingafter lastkey lastevaluatedkey cursormark pagestate pageinfo offset
    scrollparam moretoken xcursor xcontinuationtoken xmscontinuation sforcelocator locator searchafter lastseq
""")
"""Members that may be a token for the next page though `next` is not in their name; or this page's own."""
MORE_URLS = words("afterurl moreurl moretopicsurl")
MORE = words("""
    hasmore more hasnext hasnextpage hasmoreitems hasmoreresults hasmorerecords hasmorepages istruncated truncated
    moreresults moreitems moreavailable moreresultsavailable exceededtransferlimit morepages morerecords
""")
DONE = words("islast islastpage last lastpage endofstream endofrecords done finished nomore islastbatch")


def is_total(name: str) -> bool:
    """Is this the number of all documents, by its name?"""
    name = plain(name)
    return name in TOTALS or ("total" in name and not OF_A_PAGE.search(name))


def is_count(name: str) -> bool:
    """May it be?"""
    name = plain(name)
    return not OF_A_PAGE.search(name) and (name in COUNTS or name.endswith("count"))


def is_next(name: str) -> bool:
    """Does this name the next page, whatever it holds?"""
    return NEXT.fullmatch(plain(name)) is not None


def is_token(name: str) -> bool:
    """May this be a token for the next page?"""
    return is_next(name) or plain(name) in TOKENS


def is_url_name(name: str) -> bool:
    """Is it a URL, by its name?"""
    return re.search("url|uri|link|href|path", plain(name)) is not None
