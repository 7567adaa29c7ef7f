"""One answer taken apart: where its documents, its total, its links and its cursors are, in the manner of real APIs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pagefleet.errors import Stop
from pagefleet.page import Response
from pagefleet.probe.case import Case
from pagefleet.probe.envelope import written
from pagefleet.probe.hints import counting_params
from pagefleet.probe.observation import Observation
from pagefleet.probe.observe import observe
from pagefleet.probe.params import partners, token_params
from pagefleet.probe.pointers import empty_pointers, flags, links, tokens
from pagefleet.probe.sameness import Relation, key_of, relation
from pagefleet.probe.totals import is_refuted, totals

URL = "https://api.example.org/v1/things"
ROWS = [{"id": n, "title": f"row {n}"} for n in range(10)]


def answer(body: Any, *, url: str = URL, kind: str = "application/json", **headers: str) -> Response:
    """An answer in JSON, or as it is written."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, url, {"content-type": kind, **named}, text.encode())


def case(observation: Observation) -> Case:
    place = observation.places[0]
    return Case(observation, place, {}, key_of(place.documents))


# Documents


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (ROWS, "$"),
        ({"data": ROWS}, "data"),
        ({"hits": {"total": 9, "hits": ROWS}}, "hits.hits"),
        (
            {"_embedded": {"widgets": ROWS}, "_links": {"self": {"href": "/"}, "next": {"href": "/2"}}},
            "_embedded.widgets",
        ),
        ({"type": "FeatureCollection", "features": ROWS, "links": [{"rel": "self", "href": "/"}]}, "features"),
        ({"result": {"results": ROWS, "facets": [{"id": 1}] * 30}}, "result.results"),
        ({"included": ROWS * 3, "data": ROWS[:1]}, "data"),
        ({"facets": ROWS * 3, "things": ROWS[:2]}, "things"),
        ({"people": ROWS, "things": ROWS[:2]}, "things"),
        ({"columns": ["a", "b"], "rows": [[1, 2], [3, 4]]}, "rows"),
        ({"value": ROWS, "@odata.context": "x"}, "value"),
        ({"query": {"pages": {"1": ROWS[0], "2": ROWS[1]}}}, "$.query.pages[*]"),
        ({"a b": {"c.d": ROWS}}, '$["a b"]["c.d"]'),
        ({"data": [], "errors": []}, "data"),
    ],
)
def test_where_the_documents_are(body: Any, path: str) -> None:
    assert observe(answer(body)).places[0].path == path


def test_links_are_no_documents_by_their_ids() -> None:
    """Though they have the shape of some."""
    observation = observe(answer({"data": ROWS, "_links": {"self": {"href": "/1"}, "next": {"href": "/2"}}}))
    assert [place.path for place in observation.places] == ["data"]


@pytest.mark.parametrize(
    ("body", "kind", "format_", "path"),
    [
        ('{"id": 1}\n{"id": 2}\n', "application/x-ndjson", "auto", "$"),
        ('{"id": 1}\n{"id": 2}\n', "text/plain", "ndjson", "$"),
        ("id,name\n1,a\n2,b\n", "text/csv", "auto", "$"),
        ("id\tname\n1\ta\n2\tb\n3\tc\n", "text/plain", "tsv", "$"),
        ("<r><item><a>1</a></item><item><a>2</a></item></r>", "text/xml", "xml", "/r/item"),
        ('<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>', "text/xml", "xml", "/atom:feed/atom:entry"),
        ("<ul class=l><li>aaaa</li><li>bbbb</li></ul>", "text/html", "html", "ul.l > li"),
    ],
)
def test_formats(body: str, kind: str, format_: str, path: str) -> None:
    observation = observe(answer(body, kind=kind))
    assert (observation.format, observation.places[0].path) == (format_, path)


def test_what_oai_says_in_place_of_records() -> None:
    body = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><error code="badVerb">which?</error></OAI-PMH>'
    with pytest.raises(Stop, match="OAI-PMH answers with an error: 'badVerb which"):
        observe(answer(body, kind="text/xml"))


@pytest.mark.parametrize(
    ("documents", "key"),
    [
        (ROWS, "id"),
        ([{"name": "a", "uuid": "1"}, {"name": "b", "uuid": "2"}], "uuid"),
        ([{"DOI": "1"}, {"DOI": "2"}], "DOI"),
        ([{"id": 1}, {"id": 1}], None),
        ([{"id": 1}, {}], None),
        ([{"id": True}, {"id": False}], None),
        ([{"order_id": 7}, {"order_id": 8}], "order_id"),
        ([{"properties": {"id": 1}}, {"properties": {"id": 2}}], "properties.id"),
        ([{"title": "a"}, {"title": "b"}], None),
        ([["a"], ["b"]], None),
    ],
)
def test_keys(documents: list[Any], key: str | None) -> None:
    assert key_of(documents) == key


# Totals


@pytest.mark.parametrize(
    ("beside", "path"),
    [
        ({"total": 95}, "total"),
        ({"meta": {"total_count": "95"}}, "meta.total_count"),
        ({"message": {"total-results": 95}}, "message.total-results"),
        ({"@odata.count": 95}, '$["@odata.count"]'),
        ({"count": 95}, "count"),
        ({"count": 10}, None),
        ({"total": 10}, "total"),
        ({"total": 7}, None),
        ({"total": -1}, None),
        ({"total": "10000+"}, None),
        ({"total_pages": 10}, None),
        ({"totalPages": 95, "totalElements": 95}, "totalElements"),
        ({"hits": {"total": {"value": 95, "relation": "eq"}}}, "hits.total.value"),
        ({"hits": {"total": {"value": 10000, "relation": "gte"}}}, None),
        ({"recordsTotal": 200, "recordsFiltered": 95}, "recordsFiltered"),
        ({"took": 95, "limit": 95, "per_page": 95, "status": 200}, None),
    ],
)
def test_totals(beside: Mapping[str, Any], path: str | None) -> None:
    found = totals(observe(answer({"data": ROWS, **beside})), len(ROWS))
    assert (found[0].path if found else None) == path


def test_totals_in_headers() -> None:
    assert [one.path for one in totals(observe(answer(ROWS, x_total_count="95")), 10)] == ["header:X-Total-Count"]


@pytest.mark.parametrize(
    ("total", "counts", "is_over", "is_so"),
    [
        (95, [10, 10], False, False),
        (10, [10, 10], False, True),
        (10, [10], True, False),
        (15, [10, 10], False, True),
        (20, [10, 10], True, False),
    ],
)
def test_totals_that_pages_contradict(total: int, counts: list[int], is_over: bool, is_so: bool) -> None:
    assert is_refuted(total, counts, is_over=is_over) is is_so


# The next page


@pytest.mark.parametrize(
    ("beside", "paginate"),
    [
        ({"next": "/things?page=2"}, {"kind": "next_url", "next": "next"}),
        ({"links": {"next": {"href": "/2"}}}, {"kind": "next_url", "next": "links.next"}),
        ({"_links": {"next": {"href": "/2"}, "self": {"href": "/"}}}, {"kind": "next_url", "next": "_links.next"}),
        ({"paging": {"next": {"link": "/2", "after": "x"}}}, {"kind": "next_url", "next": "paging.next.link"}),
        ({"@odata.nextLink": "https://a/2"}, {"kind": "next_url", "next": '$["@odata.nextLink"]'}),
        ({"nextRecordsUrl": "/query/1-2000"}, {"kind": "next_url", "next": "nextRecordsUrl"}),
        ({"links": [{"rel": "next", "href": "/2"}]}, {"kind": "link_object", "next": "links"}),
        ({"next": None}, None),
        ({"next": "dG9rZW4="}, None),
        ({"next_event": "/x"}, None),
        ({"previous": "/1"}, None),
    ],
)
def test_links(beside: Mapping[str, Any], paginate: Mapping[str, Any] | None) -> None:
    found = list(links(observe(answer({"data": ROWS, **beside}))))
    assert (found[0].paginate if found else None) == paginate


def test_a_link_header_comes_first() -> None:
    observation = observe(answer({"data": ROWS, "next": "/2"}, link='</2>; rel="next"'))
    assert [one.paginate["kind"] for one in links(observation)] == ["link_header", "next_url"]


@pytest.mark.parametrize(
    ("beside", "path", "likely"),
    [
        ({"next_cursor": "x"}, "next_cursor", "cursor"),
        ({"nextPageToken": "x"}, "nextPageToken", "pageToken"),
        ({"next_page_token": "x"}, "next_page_token", "page_token"),
        ({"response_metadata": {"next_cursor": "x"}}, "response_metadata.next_cursor", "cursor"),
        ({"paging": {"next": {"after": "x"}}}, "paging.next.after", "after"),
        ({"metadata": {"continue": "x"}}, "metadata.continue", "continue"),
        ({"pageInfo": {"endCursor": "x", "hasNextPage": True}}, "pageInfo.endCursor", "after"),
        ({"nextCursorMark": "x"}, "nextCursorMark", "cursorMark"),
        ({"offset": "itr1/rec2"}, "offset", "offset"),
        ({"_scroll_id": "x"}, "_scroll_id", "scroll_id"),
        ({"next_page": 2}, "next_page", "page"),
        ({"next_offset": 10}, "next_offset", "offset"),
        ({"next_token": "x", "see": "/things?resume_at=x"}, "next_token", "resume_at"),
        ({"offset": 0}, None, None),
        ({"next_cursor": ""}, None, None),
        ({"before": "x"}, None, None),
    ],
)
def test_cursors(beside: Mapping[str, Any], path: str | None, likely: str | None) -> None:
    found = list(tokens(case(observe(answer({"data": ROWS, **beside})))))
    assert (found[0].member.path if found else None) == path
    assert (found[0].likely[0] if found else None) == likely


def test_a_number_goes_only_where_it_fits() -> None:
    """20 behind the first ten documents is neither the next page nor the next offset; 180 documents would be missed."""
    (token,) = tokens(case(observe(answer({"data": ROWS, "next": 20}))))
    assert not {"page", "offset", "start"} & {*token.likely, *token.common}


def test_a_parameter_of_the_url_comes_first() -> None:
    (token,) = tokens(case(observe(answer({"data": ROWS, "next_token": "x"}, url=f"{URL}?marker=a"))))
    assert token.likely[0] == "marker"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"has_more": True}, [("more", True)]),
        ({"has_more": False}, [("more", False)]),
        ({"last": False}, [("done", True)]),
        ({"endOfRecords": True}, [("done", False)]),
        ({"last_page": 7, "more": "maybe"}, []),
    ],
)
def test_flags(beside: Mapping[str, Any], said: list[tuple[str, bool]]) -> None:
    assert [(flag.field, flag.says_more) for flag in flags(observe(answer({"data": ROWS, **beside})))] == said


@pytest.mark.parametrize(
    ("beside", "paginate"),
    [
        ({"next": None}, {"kind": "next_url", "next": "next"}),
        ({"meta": {"next_cursor": ""}}, {"kind": "cursor", "next": "meta.next_cursor", "param": "cursor"}),
        ({"next_page": None}, {"kind": "cursor", "next": "next_page", "param": "page"}),
        ({"cursor": None}, None),
        ({"next_event": None}, None),
    ],
)
def test_pointers_that_are_empty(beside: Mapping[str, Any], paginate: Mapping[str, Any] | None) -> None:
    found = list(empty_pointers(case(observe(answer({"data": ROWS, **beside})))))
    assert (found[0].paginate if found else None) == paginate


# Parameters that count


@pytest.mark.parametrize(
    ("query", "beside", "first"),
    [
        ("?rows=10", {}, "start"),
        ("?limit=10", {}, "offset"),
        ("?per_page=10", {}, "page"),
        ("?$limit=10", {}, "$offset"),
        ("?_limit=10", {}, "_offset"),
        ("?page[size]=10", {}, "page[number]"),
        ("?resultRecordCount=10", {}, "resultOffset"),
        ("?count=1000&size=10", {}, "page"),
        ("?startIndex=1&count=10", {}, "startIndex"),
        ("", {"number": 0, "totalPages": 5}, "page"),
        ("", {"start": 0}, "start"),
        ("", {"links": {"last": "/things?p=7"}}, "p"),
        ("?from=2024-01-01", {}, None),
        ("", {}, None),
    ],
)
def test_what_an_answer_hints_at(query: str, beside: Mapping[str, Any], first: str | None) -> None:
    found = counting_params(observe(answer({"data": ROWS, **beside}, url=URL + query)), 10)
    assert (found[0] if found else None) == first


def test_names() -> None:
    assert partners("$top") == ["$skip"]
    assert token_params("NextContinuationToken")[0] == "continuation-token"
    assert written(["a", "b-c"]) == "a.b-c"
    assert written(["@odata.nextLink"]) == '$["@odata.nextLink"]'


# Are two pages the same?


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ([0, 1, 2, 3], Relation.SAME),
        ([4, 5, 6, 7], Relation.NEW),
        ([], Relation.EMPTY),
        ([8, 9, 0, 1], Relation.SHIFTED),
        ([3, 4, 5, 6], Relation.MIXED),
        ([1, 0, 2, 3], Relation.MIXED),
    ],
)
@pytest.mark.parametrize("key", ["id", None])
def test_relations(after: list[int], found: Relation, key: str | None) -> None:
    assert relation(ROWS[:4], [ROWS[n] for n in after], key) is found


def test_a_key_outweighs_what_changes_in_a_document() -> None:
    later = [{**row, "read": 1} for row in ROWS]
    assert relation(ROWS, later, "id") is Relation.SAME
    assert relation(ROWS, later, None) is Relation.NEW
