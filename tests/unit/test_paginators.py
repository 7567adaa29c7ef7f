"""Link headers, and what paginators refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.page import Request
from pagefleet.paginators import NextCursor, Offset, PageNumber, parse_link


@pytest.mark.parametrize(
    ("header", "links"),
    [
        ("", {}),
        ('<https://a.example/?page=2>; rel="next"', {"next": "https://a.example/?page=2"}),
        ("<?page=2>;rel=next", {"next": "?page=2"}),
        ("< /a > ; REL = NEXT", {"next": "/a"}),
        ('<a>; rel="prev", <b>; rel="next"', {"prev": "a", "next": "b"}),
        ('<a>; rel="last next"', {"last": "a", "next": "a"}),
        ("<a>; rel=next; rel=prev", {"next": "a"}),
        ("<a>; rel=next, <b>; rel=next", {"next": "a"}),
        ('<a>; title="x, <b>; rel=prev"; rel=next', {"next": "a"}),
        (r'<a>; title="say \"rel=prev\", <b>"; rel="next"', {"next": "a"}),
        ("<a,b;c>; rel=next", {"next": "a,b;c"}),
        ("<a>; title*=UTF-8''%e2%82%ac%20rates; rel=next", {"next": "a"}),
        ("<a>, <b>; rel=next", {"next": "b"}),
        (", ,<a>; rel=next,", {"next": "a"}),
        ('<a>; rel="https://rels.example/next"', {"https://rels.example/next": "a"}),
        ("<a>; rev=next", {}),
        ("<a>; rel", {}),
        ("<>; rel=next", {"next": ""}),
        ("a; rel=next", {"next": "a"}),
        ('/v2/_catalog?last=b&n=2; rel="next"', {"next": "/v2/_catalog?last=b&n=2"}),
        ("<a>; rel=next; anchor='#b'", {}),
        ("<a; rel=next", {}),
        ('<a>; rel="next', {"next": "a"}),
    ],
)
def test_link_headers(header: str, links: dict[str, str]) -> None:
    """RFC 8288, section 3 and appendix B.3."""
    assert parse_link(header) == links


targets = st.text(st.characters(codec="ascii", exclude_characters="<>", min_codepoint=0x21), min_size=1)
relations = st.sampled_from(["next", "prev", "first", "last", "self"])
texts = st.text(st.characters(codec="ascii", min_codepoint=0x20, max_codepoint=0x7E))


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(targets, relations, texts, st.booleans()), unique_by=lambda link: link[1]))
def test_links_as_they_were_written(links: list[tuple[str, str, str, bool]]) -> None:
    def written(target: str, relation: str, title: str, is_first: bool) -> str:
        parts = [f"rel={quoted(relation) if is_first else relation}", f"title={quoted(title)}"]
        return "; ".join([f"<{target}>", *(parts if is_first else reversed(parts))])

    header = ", ".join(written(*link) for link in links)
    assert parse_link(header) == {relation: target for target, relation, _, _ in links}


@given(st.text('<>;,="\\ relnxt') | st.text())
def test_any_link_header(header: str) -> None:
    for relation, target in parse_link(header).items():
        assert relation == relation.lower()
        assert target in header


@pytest.mark.parametrize(
    ("rule", "cursor", "url"),
    [
        (Offset(), None, "https://a.example/?q=%C3%A9&offset=0"),
        (Offset(), 20, "https://a.example/?q=%C3%A9&offset=20"),
        (Offset(param="skip", start=1, limit_param="top", limit=5), None, "https://a.example/?q=%C3%A9&skip=1&top=5"),
        (Offset(param="q"), 5, "https://a.example/?q=5"),
        (PageNumber(), None, "https://a.example/?q=%C3%A9&page=1"),
        (PageNumber(start=0, size_param="n", size=7), None, "https://a.example/?q=%C3%A9&page=0&n=7"),
        (NextCursor(), None, "https://a.example/?q=%C3%A9"),
        (NextCursor(start="*"), None, "https://a.example/?q=%C3%A9&cursor=%2A"),
        (NextCursor(), "a b&c", "https://a.example/?q=%C3%A9&cursor=a+b%26c"),
    ],
)
def test_requests(rule: Offset | PageNumber | NextCursor, cursor: int | str | None, url: str) -> None:
    assert rule.request(Request("GET", "https://a.example/?q=%C3%A9"), cursor) == Request("GET", url)
