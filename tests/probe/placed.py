"""Where the documents are, and what stands beside them."""

import itertools

from aiohttp import web

from tests.probe.server import COUNT, Answer, exact, number, paged, unsure

FACETS = [{"name": f"facet {n}", "id": f"f{n}"} for n in range(30)]


@exact(kind="page")
def beside_facets(request: web.Request) -> Answer:
    return {"facets": FACETS, "data": paged(request), "total": COUNT}


@exact(kind="page")
def beside_an_array_that_stays(request: web.Request) -> Answer:
    """Neither name says anything; one array is the same on each page."""
    return {"alpha": FACETS, "beta": paged(request), "total": COUNT}


@unsure()
def two_arrays_that_move(request: web.Request) -> Answer:
    page = number(request, "page", 1)
    people = [{"id": f"p{n}"} for n in range(page * 5, page * 5 + 5)]
    return {"alpha": paged(request), "omega": people}


@exact(kind="page")
def called_like_the_url(request: web.Request) -> Answer:
    users = [{"id": n} for n in itertools.islice(itertools.count(), 5)]
    return {"users": users, "things": paged(request), "total": COUNT}


@exact(kind="page")
def deep(request: web.Request) -> Answer:
    return {"response": {"status": "ok", "body": {"list": paged(request), "total": str(COUNT)}}}


@exact(kind="page")
def odd_names(request: web.Request) -> Answer:
    return {"the data.of it": {"@list": paged(request)}, "the total": COUNT}


@exact(kind="page")
def by_their_ids(request: web.Request) -> Answer:
    return {"query": {"pages": {str(row["id"]): row for row in paged(request)}}}


@exact(rows=[[n, f"row {n}"] for n in range(COUNT)], kind="page")
def arrays(request: web.Request) -> Answer:
    return {"columns": ["id", "title"], "rows": [[row["id"], row["title"]] for row in paged(request)], "total": COUNT}


@exact(rows=[f"row {n}" for n in range(COUNT)], kind="page")
def scalars(request: web.Request) -> Answer:
    return {"names": [row["title"] for row in paged(request)], "total": COUNT}
