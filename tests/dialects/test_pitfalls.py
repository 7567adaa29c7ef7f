"""The pitfalls of APIs, one by one, each with the preset that is to meet it."""

import pytest

from pagefleet.errors import Stop
from tests.dialects.business import HubSpotSearch, Shopify
from tests.dialects.cases import CASES, Fields, body, params
from tests.dialects.drive import crawl, doubts, drained, found
from tests.dialects.engines import ElasticsearchSearchAfter, Hits
from tests.dialects.host import Host
from tests.dialects.model import Answered, Asked, Model, said
from tests.dialects.portals import Gbif, HnAlgolia
from tests.dialects.scholarly import Arxiv, EuropePmc, PubMed, Zenodo
from tests.dialects.web import Drf, WordPress

# Cursors that die


class Forgetful(Model):
    """Another model, that forgets its cursors before the request of this number."""

    def __init__(self, model: Model, number: int) -> None:
        super().__init__(model.count)
        self.model, self._number = model, number

    def __call__(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        if len(self.asked) == self._number:
            self.model.forget()
        return self.model(asked)

    def answer(self, asked: Asked) -> Answered:
        return self.model.answer(asked)


class Lossy(Forgetful):
    """Another model, whose answer to the request of this number is lost on the way."""

    def __call__(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        answered = self.model(asked)
        return Answered(b"", 0) if len(self.asked) == self._number else answered


@pytest.mark.parametrize("preset", ["airtable", "crossref", "dropbox", "elasticsearch-scroll", "kubernetes", "oai-pmh"])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_cursor_that_dies_is_replaced_by_the_whole_way(host: Host, preset: str, number: int) -> None:
    kind = CASES[preset].model
    model = Forgetful(kind(3 * kind.page + 1), number)
    got = drained(host, model, crawl(host, preset))
    assert found(got) == model.model.documents()
    assert doubts(got) == []
    assert any("went on from the first page" in page.notice for page in got)


@pytest.mark.parametrize("preset", ["crossref", "elasticsearch-scroll"])
@pytest.mark.parametrize("number", [2, 3])
def test_a_server_that_moves_on_is_not_asked_again_when_its_answer_was_lost(
    host: Host, preset: str, number: int
) -> None:
    kind = CASES[preset].model
    model = Lossy(kind(3 * kind.page + 1), number)
    got = drained(host, model, crawl(host, preset, {"limits": {"attempts": 3}}))
    assert found(got) == model.model.documents()
    first, again = model.asked[number - 1], model.asked[number]
    assert (again.path, again.query, again.body) != (first.path, first.query, first.body)
    assert (again.path, again.query, again.body) == (model.asked[0].path, model.asked[0].query, model.asked[0].body)


# Depths that end


@pytest.mark.parametrize(
    ("preset", "model", "more", "expected"),
    [
        ("arxiv", Arxiv(2500), {"cap": 2000}, 2000),
        ("gbif", Gbif(1200, depth=1001), {"cap": 1000}, 1000),
        ("hn-algolia", HnAlgolia(1500), {}, 1000),
        ("hubspot-search", HubSpotSearch(10_300), {}, 10_000),
        ("pubmed", PubMed(12_000), {}, 9999),
        ("zenodo", Zenodo(300, window=100), {"cap": 100}, 100),
    ],
)
def test_a_list_that_is_cut_off_is_truncated(
    host: Host, preset: str, model: Model, more: Fields, expected: int
) -> None:
    got = drained(host, model, crawl(host, preset, more))
    assert found(got) == model.documents(0, expected)
    assert doubts(got) == ["below-total", "at-cap"]


@pytest.mark.parametrize(("preset", "model"), [("gbif", Gbif(1200, depth=1001)), ("pubmed", PubMed(12_000))])
def test_a_refusal_behind_the_depth_is_the_end_without_a_cap_too(host: Host, preset: str, model: Model) -> None:
    got = drained(host, model, crawl(host, preset, {"cap": 100_000}))
    assert found(got) == model.documents(0, 1000 if preset == "gbif" else 9999)
    assert doubts(got) == ["below-total"]


def test_a_page_behind_the_last_is_the_end(host: Host) -> None:
    """Where a proxy has eaten the header that counts the pages."""
    model = WordPress(2 * WordPress.page)
    got = drained(host, model, crawl(host, "wordpress", {"paginate": {"pages": "header:X-Eaten"}}))
    assert found(got) == model.documents()
    assert doubts(got) == []
    assert len(model.asked) == 3


# Pages that are not what they seem


@pytest.mark.parametrize("start", [0, 1000, 2000])
def test_an_empty_page_of_arxiv_is_asked_for_again(host: Host, start: int, impatience: None) -> None:
    model = Arxiv(2500, hiccup=start)
    got = drained(host, model, crawl(host, "arxiv", {"limits": {"attempts": 2}}))
    assert found(got) == model.documents()
    assert doubts(got) == []


@pytest.mark.parametrize(
    ("preset", "more", "words"),
    [
        ("arcgis", params(where="wrong"), "Invalid field: wrong"),
        ("arxiv", params(search_query="wrong"), "incorrect id format"),
        ("github-graphql", body(query="{ viewer }"), "Parse error"),
        ("mediawiki", params(gcmtitle="lag"), "6 seconds lagged"),
        ("slack", params(channel="C0"), "channel_not_found"),
    ],
)
def test_an_error_with_200_is_told(host: Host, preset: str, more: Fields, words: str) -> None:
    with pytest.raises(Stop, match=words):
        drained(host, CASES[preset].model(3), crawl(host, preset, more))


class Broken(Hits):
    """One of its shards is gone, and it says so in passing."""

    def answer(self, asked: Asked) -> Answered:
        return said({"_shards": {"failed": 1}, "hits": {"total": {"value": 9}, "hits": self.documents(0, 5)}})


@pytest.mark.parametrize("preset", ["elasticsearch-scroll", "elasticsearch-search-after"])
def test_shards_that_fail_with_200(host: Host, preset: str) -> None:
    with pytest.raises(Stop, match=r"_shards\.failed = 1"):
        drained(host, Broken(9), crawl(host, preset))


@pytest.mark.parametrize("preset", ["elasticsearch-scroll", "elasticsearch-search-after"])
def test_hits_are_counted_above_ten_thousand(host: Host, preset: str) -> None:
    model = CASES[preset].model(10_500)
    got = drained(host, model, crawl(host, preset))
    assert found(got) == model.documents()
    assert doubts(got) == []


class Overlong(EuropePmc):
    """Counts less than it has."""

    def answer(self, asked: Asked) -> Answered:
        answered = super().answer(asked)
        return Answered(answered.body.replace(b'"hitCount": 1500', b'"hitCount": 1400'), headers=answered.headers)


def test_a_count_that_drifts_does_not_end_a_crawl(host: Host) -> None:
    model = Overlong(1500)
    got = drained(host, model, crawl(host, "europepmc"))
    assert found(got) == model.documents()
    assert doubts(got) == ["above-total"]


# Ways on


def test_other_filters_do_not_go_along_with_a_page_info(host: Host) -> None:
    model = Shopify(600)
    got = drained(host, model, crawl(host, "shopify", params(status="active")))
    assert found(got) == model.documents()
    assert [sorted(dict(asked.query)) for asked in model.asked] == [["limit", "status"], *[["limit", "page_info"]] * 2]


def test_a_point_in_time_whose_id_changes(host: Host) -> None:
    model = ElasticsearchSearchAfter(2500)
    pit = body(pit={"id": "pit-0", "keep_alive": "1m"})
    got = drained(host, model, crawl(host, "elasticsearch-search-after", pit, path="/_search"))
    assert found(got) == model.documents()


def test_a_link_to_an_inner_host_stops_the_crawl(host: Host) -> None:
    with pytest.raises(Stop, match=r"the next page is said to be on another origin .* origins = \['http://inner:80'\]"):
        drained(host, Drf(60, origin="http://inner"), crawl(host, "drf"))
