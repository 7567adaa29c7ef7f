"""A request for each document: whatever way the children are paged, and whatever is missing, each arrives once."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagefleet.page import Page, Request, Response
from tests.unit.dialects import Dialect, Fields, Sent, answered, assert_exact, sent
from tests.unit.test_dialects_of_cursors import third
from tests.unit.test_walk import URL, page


class Family(Dialect):
    """Things have parts, and parts have bits; every list is paged in a way of its own, things by offset."""

    def answer(self, request: Request) -> Response:
        asked = sent(request)
        match [unquote(part) for part in asked.path.strip("/").split("/")]:
            case ["things"]:
                start = int(asked.params["offset"])
                return answered(self.ways["things"][start : start + 2])
            case ["things", name]:
                return self._whole(name)
            case ["things", name, "parts"]:
                return self._listed(asked, self.ways["parts"].get(name))
            case ["things", name, "parts", part]:
                return self._listed(asked, self.ways["bits"].get((name, part)))
            case _:
                raise AssertionError(asked.path)

    def plain(self, one: Page) -> Page:
        """The last one holds where the walk began; a parent's page that is asked for again is doubted again."""
        return replace(one, seconds=0, cursor=None, doubt="")

    def _whole(self, name: str) -> Response:
        return page(json.dumps({"whole": name})) if name in self.ways["parts"] else page("gone", 404)

    def _listed(self, asked: Sent, documents: Sequence[bytes] | None) -> Response:
        if documents is None:
            return page("gone", 404)
        start = int(asked.params.get(self.ways["param"], 0))
        end = start + self.size
        has_more = end < len(documents)
        link = {"link": f"<{asked.path.replace(' ', '%20')}?at={end}>; rel=next"} if has_more else {}
        following = {"next": str(end)} if has_more else {}
        return answered(documents[start:end], link if self.ways["param"] == "at" else {}, **following)


CHILDREN: dict[str, Fields] = {
    "at": {"kind": "link_header", "past_end": ["404"]},
    "cursor": {"kind": "cursor", "next": "next", "past_end": ["404"]},
    "offset": {"kind": "offset", "past_end": ["404"]},
}
NAMES = st.sampled_from(["a", "b c", "d/e", "f?g=h", "é%2F", "{x}", "😀"])


@st.composite
def families(draw: st.DrawFn) -> Fields:
    """Things with odd names; a thing, or a part of one, may be gone when it is asked for."""
    names = draw(st.lists(NAMES, unique=True, max_size=5))
    parts = {name: draw(st.none() | st.lists(NAMES, unique=True, max_size=5)) for name in names}
    bits = {
        (name, part): draw(st.none() | st.lists(st.integers(0, 9), unique=True, max_size=4))
        for name in names
        for part in parts[name] or []
    }
    return {
        "things": [json.dumps({"name": name, "of": {"id": index}}).encode() for index, name in enumerate(names)],
        "parts": {
            name: [json.dumps({"part": one, "in": name}).encode() for one in some]
            for name, some in parts.items()
            if some is not None
        },
        "bits": {place: [b'{"bit": %d}' % one for one in some] for place, some in bits.items() if some is not None},
        "order": [(name, part) for name in names for part in parts[name] or []],
        "names": [name for name in names if parts[name] is not None],
    }


def crawl_of(param: str, **each: Any) -> Fields:
    return {
        "url": URL,
        "paginate": {"kind": "offset"},
        "each": {"url": URL + "/{name}/parts", "documents": "data", "paginate": CHILDREN[param], **each},
    }


@pytest.mark.parametrize("param", sorted(CHILDREN))
@third
@given(family=families(), size=st.integers(1, 4))
def test_each_in_pages(param: str, family: Fields, size: int) -> None:
    expected = [one for name in family["names"] for one in family["parts"][name]]
    assert_exact(Family(expected, size, param=param, **family), crawl_of(param))


@given(families(), st.integers(1, 4))
def test_each_with_members_of_its_parent(family: Fields, size: int) -> None:
    """They stand in front, as the parent has them."""
    expected = [
        json.dumps({"thing": name, "of": {"id": index}}).encode()[:-1] + b"," + one[1:]
        for index, name in enumerate(json.loads(thing)["name"] for thing in family["things"])
        for one in family["parts"].get(name, [])
    ]
    server = Loose(expected, size, param="cursor", **family)
    assert_exact(server, crawl_of("cursor", include={"thing": "name", "of": "of"}))


class Loose(Family):
    """Members that were put in front may stand without the blanks that the server writes."""

    def seen(self, documents: Sequence[bytes]) -> list[Any]:
        return [list(json.loads(one).items()) for one in documents]


@given(families())
def test_each_is_the_document_itself(family: Fields) -> None:
    expected = [json.dumps({"whole": name}).encode() for name in family["names"]]
    each = {"url": URL + "/{name}", "paginate": {"kind": "none", "past_end": ["404"]}}
    server = Family(expected, 1, param="at", **family)
    assert_exact(server, {"paginate": {"kind": "offset"}, "each": each})


@pytest.mark.parametrize("param", sorted(CHILDREN))
@third
@given(family=families(), size=st.integers(1, 3))
def test_each_of_each(param: str, family: Fields, size: int) -> None:
    """Two levels; members of both stand in front, the grandparent's first."""
    expected = [
        json.dumps({"name": name, "part": part, **json.loads(one)}).encode()
        for name, part in family["order"]
        for one in family["bits"].get((name, part), [])
    ]
    inner: Fields = {"url": URL + "/{in}/parts/{part}", "include": {"part": "part"}, "documents": "data"}
    each = {**inner, "paginate": CHILDREN[param]}
    assert_exact(Loose(expected, size, param=param, **family), crawl_of(param, include={"name": "name"}, each=each))
