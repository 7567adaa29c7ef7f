"""Dialects of links: whatever shape the way on has, every document arrives once, and from every checkpoint the rest."""

import html
import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import given
from hypothesis import strategies as st

from pagefleet.page import Request, Response
from tests.unit.dialects import Dialect, Fields, answered, assert_exact, collections, sent
from tests.unit.test_walk import URL, page

START = st.sampled_from(["", "/things", URL, "//api.example.org/things"])
"""What stands before the query of a link that leads to the same place."""
odd_text = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs", "S"]), max_size=8)


class Linked(Dialect):
    """A server whose pages start at the parameter `at`."""

    def answer(self, request: Request) -> Response:
        asked = sent(request)
        assert asked.params.keys() <= {"at", "q"}
        start = int(asked.params.get("at", 0))
        link = None if self.is_end(start) else f"{self.ways['start']}?at={start + self.size}&q=a%26b"
        return self.linked(self.part(start), link)

    def linked(self, documents: list[bytes], link: str | None) -> Response:
        raise NotImplementedError


# Link headers


class LinkHeader(Linked):
    def linked(self, documents: list[bytes], link: str | None) -> Response:
        links = [*self.ways["others"]]
        if link is not None:
            links.insert(self.ways["place"] % (len(links) + 1), self.ways["form"].format(link))
        return answered(documents, {"Link": ", ".join(links)} if links else {})


@st.composite
def other_links(draw: st.DrawFn) -> list[str]:
    """Links that lead elsewhere, and hold all that might be mistaken for something else."""
    title = draw(odd_text).replace("\\", r"\\").replace('"', r"\"")
    return draw(
        st.lists(
            st.sampled_from(
                [
                    '</a>; rel="prev first"',
                    "</b>; rel=last",
                    f'</c>; title="{title}"; rel="prev"',
                    '</d>; rel="prev"; title="a, <b>; rel=next, c"',
                    '</e>; rel="nextish"',
                    '</f>; rel="prev"; rel="next"',
                    '</g>; rel="next"; anchor="/elsewhere"',
                    "</h>",
                    "</i,j;k>; rel=prev",
                ]
            ),
            max_size=4,
        )
    )


FORMS = [
    "<{}>; rel=next",
    '<{}>;rel="next"',
    '<{}> ; REL="prefetch Next last"',
    '<{}>; title="x, \\"y\\"; z"; rel=NEXT',
    '< {} >; rel=next; type="application/json"',
    '<{}>; rel="next"; rel="prev"',
]


@given(collections(), START, other_links(), st.integers(0, 4), st.sampled_from(FORMS))
def test_link_header(collection: Any, start: str, others: list[str], place: int, form: str) -> None:
    assert_exact(
        LinkHeader(*collection, start=start, others=others, place=place, form=form),
        {"paginate": {"kind": "link_header"}},
    )


@given(collections(), st.sampled_from(["more", "https://api.example.org/rels/more"]))
def test_link_header_of_another_relation(collection: Any, rel: str) -> None:
    ways: Fields = {"start": "", "others": ['</a>; rel="next"'], "place": 1, "form": f'<{{}}>; rel="{rel}"'}
    assert_exact(LinkHeader(*collection, **ways), {"paginate": {"kind": "link_header", "rel": rel.upper()}})


# URLs in bodies and headers

NOTHING = st.sampled_from([{}, {"next": None}, {"next": ""}, {"next": False}])
"""How a body says that there is no link."""


class NextUrl(Linked):
    def linked(self, documents: list[bytes], link: str | None) -> Response:
        form, is_flagged = self.ways["form"], self.ways.get("flag")
        body: Fields = (
            self.ways["nothing"] if link is None else {"next": {"href": link, "title": "x"} if form == "href" else link}
        )
        if form == "template":
            body = {name: f"{value}{{?size,sort*}}" if value else value for name, value in body.items()}
        if is_flagged:  # the last page has a link, too
            body = {"next": link or "/things?at=0", is_flagged: (link is not None) == (is_flagged == "more")}
        return answered(documents, meta={"links": body})


@given(collections(), START, st.sampled_from(["plain", "href", "template"]), NOTHING)
def test_next_url_in_the_body(collection: Any, start: str, form: str, nothing: Fields) -> None:
    assert_exact(
        NextUrl(*collection, start=start, form=form, nothing=nothing),
        {"paginate": {"kind": "next_url", "next": "meta.links.next"}},
    )


@given(collections(), st.sampled_from(["more", "done"]))
def test_next_url_on_the_last_page_too(collection: Any, flag: str) -> None:
    assert_exact(
        NextUrl(*collection, start="", form="plain", nothing={}, flag=flag),
        {"paginate": {"kind": "next_url", "next": "meta.links.next", flag: f"meta.links.{flag}"}},
    )


class NextHeader(Linked):
    def linked(self, documents: list[bytes], link: str | None) -> Response:
        return answered(documents, {"Next-Page": link} if link else self.ways["nothing"])


@given(collections(), START, st.sampled_from([{}, {"Next-Page": ""}]))
def test_next_url_in_a_header(collection: Any, start: str, nothing: Fields) -> None:
    server = NextHeader(*collection, start=start, nothing=nothing)
    assert_exact(server, {"paginate": {"kind": "next_url", "next": "header:next-page"}})


# Markup: a document is what the mapping makes of an element


class Markup(Linked):
    """Documents are texts here; the server puts them into elements, and the mapping gets JSON out of these."""

    def linked(self, documents: list[bytes], link: str | None) -> Response:
        texts = [json.loads(one) for one in documents]
        if self.ways["format"] == "xml":
            inner = "".join(f"<d>{escape(text)}</d>" for text in texts)
            return page(f'<f xmlns:l="urn:l" xmlns="urn:f">{self._xml_link(link)}{inner}</f>', url=URL)
        inner = "".join(f"<li class=d>{html.escape(text)}</li>" for text in texts)
        anchor = (
            f'<a class="next" href={quoteattr(link)} data-next={quoteattr(link)}>{html.escape(link)}</a>'
            if link
            else ""
        )
        return page(f"<!doctype html><ul>{inner}</ul><a href='/'>home</a>{anchor}")

    def _xml_link(self, link: str | None) -> str:
        if link is None:
            return "<l:next/>" if self.ways["is_empty"] else ""
        return f"<l:next href={quoteattr(link)}>\n {escape(link)} </l:next>"


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Sm"]), min_size=1, max_size=5)


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[bytes], int]:
    size = draw(st.integers(1, 7))
    count = draw(st.sampled_from([0, 1, size, size + 1, 2 * size, 3 * size + 1]))
    words = draw(st.lists(WORDS, min_size=count, max_size=count))
    return [json.dumps(f"{number} {word}", ensure_ascii=False).encode() for number, word in enumerate(words)], size


@given(texts(), START, st.sampled_from(["//l:next", "//l:next/@href", "string(//l:next/@href)"]), st.booleans())
def test_next_url_in_xml(collection: Any, start: str, path: str, is_empty: bool) -> None:
    assert_exact(
        Markup(*collection, start=start, format="xml", is_empty=is_empty),
        {
            "format": "xml",
            "namespaces": {"f": "urn:f", "l": "urn:l"},
            "documents": "//f:d",
            "paginate": {"kind": "next_url", "next": path},
        },
    )


class Html(Markup):
    """What an element of HTML becomes: its attributes and its text."""

    def linked(self, documents: list[bytes], link: str | None) -> Response:
        return super().linked([json.dumps(json.loads(one)["#text"]).encode() for one in documents], link)


@given(texts(), START, st.sampled_from(["a.next", "a.next::attr(data-next)", "a.next::text", "a.next::attr(href)"]))
def test_next_url_in_html(collection: Any, start: str, path: str) -> None:
    documents, size = collection
    elements = [b'{"@class":"d","#text":' + one + b"}" for one in documents]
    assert_exact(
        Html(elements, size, start=start, format="html"),
        {"format": "html", "documents": "li.d", "paginate": {"kind": "next_url", "next": path}},
    )


# Objects that say how to ask


class LinkObject(Linked):
    """By GET, as OGC has them."""

    def linked(self, documents: list[bytes], link: str | None) -> Response:
        return self.with_link(documents, {"href": link, **self.ways["hint"]} if link else None)

    def with_link(self, documents: list[bytes], link: Fields | None) -> Response:
        links: list[Any] = [{"rel": "self", "href": "/s"}, {"href": "/no-rel"}, {"rel": "alternate", "href": "/a"}]
        if link is not None:
            links.insert(self.ways["place"], {"rel": self.ways["rel"], **link})
        return answered(documents, page={"links": links})


SEARCH: Fields = {"q": {"a": [1]}, "limit": 10}


class LinkToPost(LinkObject):
    """By POST, as STAC has them; with `merge` the search goes along by itself, else the link repeats it."""

    def answer(self, request: Request) -> Response:
        asked = sent(request)
        assert asked.method == "POST"
        start, noted = asked.body.get("at", 0), asked.body.get("noted", False)
        assert asked.body == SEARCH | ({"at": start} if start else {}) | ({"noted": True} if noted else {})
        assert noted == (self.ways["merge"] and start > 0)
        if self.is_end(start):
            return self.with_link(self.part(start), None)
        more = {"at": start + self.size}
        if not self.ways["merge"]:
            more = SEARCH | more
        elif not start:
            more["noted"] = True  # the first link alone says it; what is merged once stays
        link = {"href": self.ways["start"], "method": "POST", "body": more, "merge": self.ways["merge"]}
        return self.with_link(self.part(start), link)


RELS = st.sampled_from([("next", "next"), ("next", ["prefetch", "next"]), ("next", "prefetch next"), ("more", "more")])
HINTS = st.sampled_from([{}, {"method": "GET"}, {"method": "get", "type": "application/geo+json"}])


@given(collections(), START, RELS, HINTS, st.integers(0, 3))
def test_link_object_by_get(collection: Any, start: str, rels: Any, hint: Fields, place: int) -> None:
    server = LinkObject(*collection, start=start, rel=rels[1], hint=hint, place=place)
    assert_exact(server, {"paginate": {"kind": "link_object", "next": "page.links", "rel": rels[0]}})


@given(collections(), st.sampled_from(["/things", URL, "../things"]), st.booleans(), st.integers(0, 3))
def test_link_object_by_post(collection: Any, start: str, merge: bool, place: int) -> None:
    server = LinkToPost(*collection, start=start, rel="next", place=place, merge=merge)
    assert_exact(server, {"method": "POST", "body": SEARCH, "paginate": {"kind": "link_object", "next": "page.links"}})
