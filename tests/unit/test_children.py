"""Parent and child: every child's documents in the order of the parents, from every checkpoint, wherever it stopped."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.fetch import Reply, Send
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.walk import walk

HOME = "https://api.example.org"
CHILDREN = {"url": "/repos/{name}/issues", "documents": "data", "key": "id", "paginate": {"kind": "page"}}


@dataclass
class Site:
    """Repositories by page, each with its issues; an issue may have comments."""

    repos: list[dict[str, Any]]
    size: int = 2
    child_size: int = 2
    asked: list[Request] = field(default_factory=list[Request])

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        url = urlsplit(request.url)
        params, parts = dict(parse_qsl(url.query)), [unquote(part) for part in url.path.strip("/").split("/")]
        page = int(params.get("page", 1))
        found = self._listing(parts)
        if found is None:
            return Response(404, request.url, {}, b"no such thing")
        if isinstance(found, dict):
            return Response(200, request.url, {}, json.dumps(found).encode())
        size = self.size if parts == ["repos"] else self.child_size
        rows = found[(page - 1) * size : page * size]
        return Response(200, request.url, {}, json.dumps({"data": rows, "total": len(found)}).encode())

    def _listing(self, parts: list[str]) -> list[Any] | dict[str, Any] | None:
        repos = {repo["name"]: repo for repo in self.repos}
        match parts:
            case ["repos"]:
                return [{name: value for name, value in repo.items() if name != "issues"} for repo in self.repos]
            case ["repos", name]:
                return repos.get(name)
            case ["repos", name, "issues"]:
                return repos[name].get("issues") if name in repos else None
            case ["issues", number, "comments"]:
                return [{"id": f"{number}.{n}"} for n in range(int(number) % 4)]
            case _:
                return None


def crawl(each: Mapping[str, Any] = CHILDREN, **more: Any) -> Crawl:
    said = {"url": f"{HOME}/repos", "documents": "data", "paginate": {"kind": "page"}, "each": each, **more}
    return Crawl.model_validate(said)


def run(source: Crawl, site: Site, checkpoint: Checkpoint | None = None) -> Iterator[Page]:
    flow = walk(source, checkpoint or Checkpoint())
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = site.answer(step.request) if isinstance(step, Send) else None
        if isinstance(step, Page):
            yield step


def ids(pages: list[Page]) -> list[Any]:
    return [json.loads(document)["id"] for page in pages for document in page.documents]


def site(*counts: int, size: int = 2, child_size: int = 2) -> Site:
    """So many issues in each repository."""
    issues = [[{"id": 10 * number + n} for n in range(count)] for number, count in enumerate(counts)]
    repos = [{"name": f"r/{number} é", "id": number, "issues": found} for number, found in enumerate(issues)]
    return Site(repos, size, child_size)


def whole(there: Site) -> list[Any]:
    return [issue["id"] for repo in there.repos for issue in repo["issues"]]


@given(st.lists(st.integers(0, 5), max_size=5), st.integers(1, 3))
def test_every_issue_of_every_repository_from_every_checkpoint(counts: list[int], size: int) -> None:
    pages = list(run(crawl(), site(*counts, size=size)))
    assert ids(pages) == whole(site(*counts))
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert not any(page.doubt for page in pages)
    for number, page in enumerate(pages[:-1], 1):
        cursor = json.loads(json.dumps(page.cursor))  # as it comes back from Redis
        assert len(json.dumps(cursor)) < 300
        rest = list(run(crawl(), site(*counts, size=size), Checkpoint(number + 1, 0, cursor, len(ids(pages[:number])))))
        assert ids(rest) == ids(pages[number:])


DEEP = {**CHILDREN, "each": {"url": "/issues/{id}/comments", "documents": "data", "paginate": {"kind": "page"}}}


@given(st.lists(st.integers(0, 4), max_size=4))
def test_three_levels_from_every_checkpoint(counts: list[int]) -> None:
    expected = [f"{issue}.{n}" for issue in whole(site(*counts)) for n in range(issue % 4)]
    pages = list(run(crawl(DEEP), site(*counts)))
    assert ids(pages) == expected
    for number, page in enumerate(pages[:-1], 1):
        cursor = json.loads(json.dumps(page.cursor))
        rest = list(run(crawl(DEEP), site(*counts), Checkpoint(number + 1, 0, cursor, len(ids(pages[:number])))))
        assert ids(rest) == ids(pages[number:])


def test_a_detail_is_the_body_as_it_is() -> None:
    there = site(1, 0, 2)
    pages = list(run(crawl({"url": "/repos/{name}", "key": "id"}), there))
    assert [document for page in pages for document in page.documents] == [
        json.dumps(repo).encode() for repo in there.repos
    ]
    assert [unquote(urlsplit(asked.url).path) for asked in there.asked if asked.url.count("/") > 3] == [
        f"/repos/r/{n} é" for n in range(3)
    ]
    assert "/repos/r%2F0%20%C3%A9" in there.asked[1].url


def test_members_of_the_parent_stand_in_front() -> None:
    each = {**CHILDREN, "include": {"repo": "name", "owner": "owner.id"}}
    pages = list(run(crawl(each), site(1)))
    assert pages[0].documents == [b'{"repo":"r/0 \\u00e9","owner":null,"id": 0}']
    with pytest.raises(Stop, match="including 'name' of the parent as 'id': the document has that already"):
        list(run(crawl({**CHILDREN, "include": {"id": "name"}}), site(1)))


def test_a_child_that_is_missing() -> None:
    there = site(1, 1, 1)
    del there.repos[1]["issues"]
    with pytest.raises(Stop, match="the server answered 404"):
        list(run(crawl(), there))
    allowed = {**CHILDREN, "paginate": {"kind": "page", "past_end": ["404"]}}
    assert ids(list(run(crawl(allowed), there))) == [0, 20]


def test_a_child_with_fewer_than_it_declared_is_doubted() -> None:
    there = site(3)
    each = {**CHILDREN, "total": "total", "paginate": {"kind": "none"}}
    assert [page.doubt for page in run(crawl(each), there)] == ["child-below-total", ""]


@pytest.mark.parametrize(("counts", "doubt"), [((1, 1), "no-pointer"), ((1, 2), ""), ((0, 0), "")])
def test_a_child_of_one_page_need_not_say_so_if_another_went_on(counts: tuple[int, ...], doubt: str) -> None:
    """One issue a page, and a Link header only where there is another."""

    class Linked(Site):
        def answer(self, request: Request) -> Response:
            answered = super().answer(request)
            page = int(dict(parse_qsl(urlsplit(request.url).query)).get("page", 1))
            is_more = page < json.loads(answered.body)["total"] and "issues" in request.url
            link = {"link": f'<?page={page + 1}>; rel="next"'} if is_more else {}
            return Response(200, request.url, link, answered.body)

    there = Linked(site(*counts).repos, 10, 1)
    pages = list(run(crawl({**CHILDREN, "paginate": {"kind": "link_header"}}), there))
    assert ids(pages) == whole(there)
    assert " ".join(page.doubt for page in pages if page.doubt) == doubt
    last = json.loads(json.dumps(pages[-2].cursor)) if len(pages) > 1 else None
    rest = list(run(crawl({**CHILDREN, "paginate": {"kind": "link_header"}}), there, Checkpoint(9, 0, last, 0)))
    assert " ".join(page.doubt for page in rest if page.doubt) == doubt


@dataclass
class Poisoned(Site):
    """Some issues bring down every page that they are on."""

    poison: set[int] = field(default_factory=set[int])

    def answer(self, request: Request) -> Response:
        url = urlsplit(request.url)
        if not url.path.endswith("/issues"):
            return super().answer(request)
        name = unquote(url.path.split("/")[2])
        issues: list[Any] = next(repo["issues"] for repo in self.repos if repo["name"] == name)
        params = {name: int(value) for name, value in parse_qsl(url.query)}
        start = (params["page"] - 1) * params["size"]
        found = issues[start : start + params["size"]]
        self.asked.append(request)
        if any(issue["id"] in self.poison for issue in found):
            return Response(500, request.url, {}, b"")
        return Response(200, request.url, {}, json.dumps({"data": found, "total": len(issues)}).encode())


SIZED = {**CHILDREN, "total": "total", "paginate": {"kind": "page", "size_param": "size", "size": 6}}
COUNTS = (7, 0, 9, 2)
ONCE = {"limits": {"attempts": 1}}


@pytest.mark.invariant("C-18")
@given(poison=st.sets(st.sampled_from([0, 3, 5, 6, 20, 25, 26, 28, 30, 31]), max_size=4), is_deep=st.booleans())
def test_what_cannot_be_had_of_a_child_is_set_aside_and_replayed(poison: set[int], is_deep: bool) -> None:
    """From every checkpoint; what is below another level, too."""
    each: dict[str, Any] = {**SIZED, "include": {"repo": "name"}}
    if is_deep:
        each = {"url": "/repos", "params": {"only": "{id}"}, "documents": "data", "each": each}
    source = crawl(each, **ONCE)

    def there(poison: set[int]) -> Site:
        class Deep(Poisoned):
            """The repositories are below themselves, one at a time."""

            def answer(self, request: Request) -> Response:
                only = dict(parse_qsl(urlsplit(request.url).query)).get("only")
                if only is None:
                    return super().answer(request)
                found = [{"name": repo["name"]} for repo in self.repos if repo["id"] == int(only)]
                return Response(200, request.url, {}, json.dumps({"data": found}).encode())

        return Deep(site(*COUNTS).repos, poison=poison)

    pages = list(run(source, there(poison)))
    assert ids(pages) == [number for number in whole(site(*COUNTS)) if number not in poison]
    words = {word for page in pages for word in page.doubt.split()}
    assert words == ({"quarantined"} if poison else set())
    for number, page in enumerate(pages[:-1], 1):
        cursor = json.loads(json.dumps(page.cursor))
        rest = list(run(source, there(poison), Checkpoint(number + 1, 0, cursor, len(ids(pages[:number])))))
        assert ids(rest) == ids(pages[number:])
    lost = [json.loads(json.dumps(page.quarantined.cursor)) for page in pages if page.quarantined]
    assert len(lost) == len(poison)
    if lost:
        some = set(sorted(poison)[:1])
        again = list(run(source, there(some), Checkpoint(99, 0, {"$replay": lost})))
        assert ids(again) == sorted(poison - some)
        assert [page.quarantined.cursor for page in again if page.quarantined] == lost[:1]
        assert again[-1].is_last
        (last,) = run(source, there(set()), Checkpoint(99, 0, {"$replay": lost[:1]}))
        assert list(json.loads(last.documents[0])) == ["repo", "id"]


def test_a_document_whose_parent_is_gone_stays_aside() -> None:
    there = Poisoned(site(*COUNTS).repos, poison={25})
    source = crawl(SIZED, **ONCE)
    (lost,) = (page.quarantined.cursor for page in run(source, there) if page.quarantined)
    del there.repos[2]
    (page,) = run(source, there, Checkpoint(99, 0, {"$replay": [lost]}))
    assert page.quarantined is not None
    assert page.quarantined.cursor == lost
    assert "its parent is no longer among those of https://api.example.org/repos" in page.quarantined.reason
    assert (page.doubt, page.is_last) == ("quarantined", True)


def test_a_child_of_which_nothing_can_be_had_stops_the_crawl_and_sets_nothing_aside() -> None:
    there = Poisoned(site(7).repos, poison=set(range(10)))
    pages: list[Page] = []
    with pytest.raises(Stop, match="the server answered 500"):  # noqa: PT012  # what came before counts
        for page in run(crawl(SIZED, **ONCE), there):
            pages.append(page)  # noqa: PERF402
    assert pages == []


def test_parents_are_not_set_aside() -> None:
    class Broken(Site):
        def answer(self, request: Request) -> Response:
            params = dict(parse_qsl(urlsplit(request.url).query))
            is_poison = params.get("page") == "2" and params.get("size") == "1"
            is_large = params.get("size") == "2" and "repos?" in request.url
            return Response(500, request.url, {}, b"") if is_poison or is_large else super().answer(request)

    paginate = {"kind": "page", "size_param": "size", "size": 2}
    with pytest.raises(Stop, match="the server answered 500"):
        list(run(crawl(paginate=paginate, **ONCE), Broken(site(1, 1).repos)))


def test_the_key_of_the_documents_is_the_innermost() -> None:
    assert crawl(key="name").document_key == ("id",)
    assert crawl(DEEP).document_key == ()


# Parents that move

MOVES: list[tuple[str, list[int], list[int], str]] = [
    ("same", [0, 1, 2, 3], [11, 12, 20, 30], ""),
    ("one more in front", [9, 0, 1, 2, 3], [11, 12, 20, 30], "moved"),
    ("gone", [0, 2, 3], [20, 30], "moved"),
    ("the one before is gone", [1, 2, 3], [11, 12, 20, 30], "moved"),
]


@pytest.mark.parametrize(("order", "expected", "doubt"), [move[1:] for move in MOVES], ids=[move[0] for move in MOVES])
def test_a_parent_that_has_moved_is_found_by_its_mark(order: list[int], expected: list[int], doubt: str) -> None:
    """The crawl stopped behind the first issue of repository 1."""
    before = site(1, 3, 1, 1, size=10, child_size=1)
    stopped = next(page for page in run(crawl(), before) if ids([page]) == [10])
    repos: dict[int, Any] = {repo["id"]: repo for repo in before.repos}
    repos[9] = {"name": "new", "id": 9, "issues": []}
    after = Site([repos[number] for number in order], 10, 1)
    rest = list(run(crawl(), after, Checkpoint(3, 0, json.loads(json.dumps(stopped.cursor)), 2)))
    assert ids(rest) == expected
    assert " ".join(page.doubt for page in rest if page.doubt) == doubt


# Where children may be


@pytest.mark.parametrize(
    "link", ["https://evil.example/x", "http://api.example.org/x", "https://api.example.org:8443/"]
)
def test_a_url_out_of_a_document_stays_on_the_origin(link: str) -> None:
    there = Site([{"name": "a", "id": 1, "link": link}])
    with pytest.raises(Stop, match=r"leads to .*, on another origin; if that is right, list it in the crawl"):
        list(run(crawl({"url": "{link}"}), there))
    assert len(there.asked) == 1


def test_a_child_on_a_listed_origin_goes_without_credentials() -> None:
    secret = {"headers": {"Authorization": "Bearer env:TOKEN"}, "params": {"key": "env:KEY"}}
    there = Site([{"name": "a", "id": 1, "link": "https://cdn.example.net/repos/a", "issues": []}])
    for each in ({"url": "{link}"}, {"url": "https://cdn.example.net/repos/{name}"}):
        list(run(crawl(each, origins=["https://cdn.example.net"], **secret), there))
        (child,) = (asked for asked in there.asked if "cdn" in asked.url)
        assert (child.url, child.headers, child.secrets) == ("https://cdn.example.net/repos/a", {}, {})
        there.asked.clear()
    own = {"params": {"own": "env:OWN", "a": "b"}}
    for url, secrets in (("{link}", {}), ("https://cdn.example.net/repos/{name}", {"own": "env:OWN"})):
        list(run(crawl({"url": url, **own}, origins=["https://cdn.example.net"], **secret), there))
        (child,) = (asked for asked in there.asked if "cdn" in asked.url)
        assert (child.url, child.secrets) == ("https://cdn.example.net/repos/a?a=b", secrets)
        there.asked.clear()
    list(run(crawl({"url": "/repos/{name}"}, **secret), there))
    (child,) = (asked for asked in there.asked if asked.url.endswith("/a"))
    assert (child.headers, child.secrets) == ({"Authorization": "Bearer env:TOKEN"}, {"key": "env:KEY"})


@pytest.mark.parametrize("each", [{"url": "/x", "params": {"q": "{name}"}}, {"url": "/x?q={name}"}, {"url": "{name}"}])
def test_what_a_document_says_is_never_looked_up(each: Mapping[str, Any]) -> None:
    there = Site([{"name": "env:HOME", "id": 1}])
    with pytest.raises(Stop):
        list(run(crawl(each), there))
    assert not any(asked.secrets for asked in there.asked)


def test_a_body_for_each() -> None:
    there = site(0)
    each = {"url": "/repos", "method": "POST", "body": {"query": {"name": ["{name}", 3]}}, "documents": "data"}
    list(run(crawl(each), there))
    assert json.loads(there.asked[1].body or b"") == {"query": {"name": ["r/0 é", 3]}}


def test_a_parent_without_the_member() -> None:
    with pytest.raises(Stop, match="following a document: it has no 'slug'"):
        list(run(crawl({"url": "/x/{slug}"}), site(0)))


class LongWinded(Site):
    """Its cursors are long, and the second repository has a second page of issues."""

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        name = len([one for one in self.asked if one.url.endswith("/repos")])
        following = None if request.url.endswith("/repos/1/issues") else "x" * 40_000
        said = {"data": [{"name": name, "id": len(self.asked)}], "next": following}
        return Response(200, request.url, {}, json.dumps(said).encode())


def test_cursors_that_are_too_long_together() -> None:
    posted = {"method": "POST", "body": {}, "paginate": {"kind": "cursor", "next": "next", "param": "body:a"}}
    pages = run(crawl({**CHILDREN, **posted}, **posted), LongWinded([]))
    assert next(pages).documents
    with pytest.raises(
        Stop, match=r"its child's page and of its own have 80[0-9]{3} bytes together, and at most 65536"
    ):
        next(pages)
