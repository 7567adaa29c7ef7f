"""Dialects of what goes along: with a cursor, beside it or instead of it; and continuations, several at once."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.page import Request, Response
from tests.unit.dialects import Dialect, Fields, Sent, answered, assert_exact, collections, identifier, sent
from tests.unit.test_dialects_of_cursors import Cursors, at, made, position, said, third


class Keeping(Cursors):
    """With a cursor only `verb` and `x` are allowed, and they must be there."""

    def check(self, asked: Sent) -> None:
        names = {"cursor", "verb", "x"} if "cursor" in asked.params else {"verb", "x", "prefix", "from"}
        assert asked.params.keys() == names


@given(collections(), st.sampled_from(["text", "number"]))
def test_what_is_kept(collection: Any, form: str) -> None:
    params: Fields = {"verb": "List", "x": "é", "prefix": "p", "from": "2024"}
    server = Keeping(*collection, param="cursor", form=form)
    assert_exact(server, {"params": params, **said("cursor", keep=["verb", "x", "absent"])})


class Then(Cursors):
    """Goes on elsewhere, by another method, with a body of its own."""

    def check(self, asked: Sent) -> None:
        is_first = asked.path == "/things"
        assert is_first == (self.cursor(asked) is None)
        if is_first:
            assert (asked.method, asked.params) == (self.ways["method"], {"scroll": "5m"})
            return
        then = self.ways["then"]
        assert (asked.method, asked.path) == (then.get("method", self.ways["method"]), "/scroll")
        assert asked.params == then.get("params", {}) | {
            name: value for name, value in asked.params.items() if name == "c"
        }
        if "body" in then:
            assert {**asked.body, "c": 0} == {**then["body"], "c": 0}

    def cursor(self, asked: Sent) -> Any:
        return None if asked.path == "/things" else super().cursor(asked)


THEN: list[Any] = [
    ("body:c", "text", "POST", {"body": {"scroll": "5m"}}),
    ("body:c", "object", "POST", {"body": {}}),
    ("body:c", "text", "GET", {"method": "POST", "body": {"scroll": "5m"}, "params": {"z": "1"}}),
    ("c", "text", "POST", {"method": "GET"}),
    ("c", "number", "GET", {"params": {"z": "é"}}),
    ("header:c", "ascii", "GET", {}),
]


@pytest.mark.parametrize(("param", "form", "method_", "then"), THEN)
@pytest.mark.parametrize("url", ["/scroll", "https://api.example.org/scroll", "scroll"])
@third
@given(collection=collections())
def test_then_elsewhere(param: str, form: str, method_: str, then: Fields, url: str, collection: Any) -> None:
    server = Then(*collection, param=param, form=form, method=method_, then=then)
    first: Fields = {"params": {"scroll": "5m"}, "method": method_, "body": {"q": 1} if method_ == "POST" else None}
    assert_exact(server, {**first, "paginate": said(param, then={"url": url, **then})["paginate"]})


class Carrying(Cursors):
    """Each answer names a session and a count that the next request must name, beside the cursor."""

    def check(self, asked: Sent) -> None:
        cursor = self.cursor(asked)
        start = None if cursor is None else position(cursor, "text")
        last = self.documents[start - 1] if start else None
        expected = [None, None, None] if start is None else [f"s{start}", f"h{start}", last and identifier(last)]
        places = ("body:pit.id", "header:X-Session", "body:after")
        assert [at(asked, place) for place in places] == expected

    def paged(self, start: int, documents: list[bytes]) -> Response:
        end = start + len(documents)
        following = {} if self.is_end(start) else {"next": made(end, "text")}
        return answered(documents, {"X-S": f"h{end}"}, meta={"pit_id": f"s{end}", **following})


@given(collections())
def test_what_is_carried(collection: Any) -> None:
    carry = {"body:pit.id": "meta.pit_id", "header:X-Session": "header:X-S", "body:after": "last:id"}
    server = Carrying(*collection, param="cursor", form="text", method="POST")
    assert_exact(server, {"method": "POST", "body": {"q": 1}, **said("cursor", carry=carry)})


# Continuations


class Continuing(Dialect):
    """MediaWiki: a list goes on by two parameters at once; each part of a page brings more members of its documents."""

    def answer(self, request: Request) -> Response:
        asked = dict(sent(request).params)
        assert asked.pop("action") == "query"
        if asked:
            assert asked.keys() == {"gcmcontinue", "propcontinue", "continue"}
        start, part = int(asked.get("gcmcontinue", "0|").rstrip("|é ")), int(asked.get("propcontinue", 0))
        documents, parts = self.part(start), self.ways["parts"]
        is_whole = part + 1 == parts or not documents
        meta: Fields = {"batchcomplete": self.ways["word"]} if is_whole else {}
        if not is_whole:
            meta["continue"] = {"gcmcontinue": f"{start}|é ", "propcontinue": part + 1, "continue": "-||"}
        elif not self.is_end(start):
            meta["continue"] = {"gcmcontinue": f"{start + self.size}|é ", "propcontinue": 0, "continue": "-||"}
        return answered([self._part(one, part, parts) for one in documents], **meta)

    def seen(self, documents: Sequence[bytes]) -> list[Any]:
        return [json.loads(one) for one in documents]  # the members of what is merged stand in another order

    def _part(self, one: bytes, part: int, parts: int) -> bytes:
        """The members of a document whose turn it is, the id, and of arrays and objects what belongs to this part."""
        members: Fields = json.loads(one)
        kept = {
            name: value
            for number, (name, value) in enumerate(members.items())
            if name == "id" or number % parts == part
        }
        shared = (
            {"list": members["list"][part::parts], "by": {str(part): members["by"][str(part)]}} if parts > 1 else {}
        )
        return one if parts == 1 else json.dumps({**kept, **shared}).encode()


@given(collections(), st.integers(1, 3), st.sampled_from(["", True, None]))
def test_continuations_are_merged(collection: Any, parts: int, word: Any) -> None:
    documents, size = collection
    more: Fields = {"list": list(range(parts)), "by": {str(part): part for part in range(parts)}}
    whole = [json.dumps({**json.loads(one), **more}).encode() for one in documents]
    server = Continuing(whole, size, parts=parts, word=word)
    paginate = {"kind": "continue", "next": "continue", "complete": "batchcomplete"}
    assert_exact(server, {"params": {"action": "query"}, "key": "id", "paginate": paginate})


@given(collections())
def test_continuations_of_a_plain_list(collection: Any) -> None:
    server = Continuing(*collection, parts=1, word=True)
    assert_exact(server, {"params": {"action": "query"}, "paginate": {"kind": "continue"}})
