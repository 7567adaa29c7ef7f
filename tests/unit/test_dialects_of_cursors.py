"""Dialects of cursors: from anywhere in an answer to anywhere in the next request, whatever says which is the last."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagefleet.page import Request, Response
from tests.unit.dialects import Dialect, Fields, Sent, answered, assert_exact, collections, document, identifier, sent

ODD = " /+é?&=#%2F{x}😀"
"""Behind the number in a cursor, to be escaped on its way back."""
TEMPLATE = "https://api.example.org/from/{cursor}/things"


def made(position: int, form: str) -> Any:
    """A cursor of one of these forms."""
    ascii_only = f"{position}-a b/+=?&"
    forms: Fields = {
        "text": f"{position}{ODD}",
        "ascii": ascii_only,
        "digits": str(position),
        "number": position,
        "long": 10**30 + position,
        "array": [position, "é", None],
        "object": {"id": {"n": position}},
    }
    return forms[form]


def position(cursor: Any, form: str) -> int:
    """Where a cursor stands, as it came back; it must be just what was sent."""
    read: Fields = {
        "long": lambda: int(cursor) - 10**30,
        "array": lambda: cursor[0],
        "object": lambda: cursor["id"]["n"],
        "number": lambda: int(cursor),
        "ascii": lambda: int(cursor.partition("-")[0]),
        "digits": lambda: int(cursor),
    }
    found = int(read.get(form, lambda: int(cursor.removesuffix(ODD)))())
    assert cursor == made(found, form) or (form in ("number", "long") and str(cursor) == str(made(found, form)))
    return found


def at(asked: Sent, place: str) -> Any:
    """What stands at this place of a request; None: nothing."""
    kind, _, name = place.rpartition(":")
    match kind:
        case "header":
            return asked.headers.get(name.lower())
        case "form":
            return asked.form.get(name)
        case "json":
            return json.loads(asked.params[name]) if name in asked.params else None
        case "body":
            found: Any = asked.body
            for member in name.split("."):
                found = found.get(member) if found else None
            return found
        case _:
            return asked.params.get(name)


class Cursors(Dialect):
    """A server whose cursors stand at `param`, and come from `place`: body, header or the last document."""

    def answer(self, request: Request) -> Response:
        asked = sent(request)
        self.check(asked)
        start = self.start(asked)
        return self.paged(start, self.part(start))

    def check(self, asked: Sent) -> None:
        """Of all that goes beside the cursor."""
        assert asked.method == self.ways.get("method", "GET")
        if asked.method == "POST" and not self.ways["param"].startswith("form:"):
            assert asked.body["q"] == {"a": [1]}

    def start(self, asked: Sent) -> int:
        cursor = self.cursor(asked)
        return 0 if cursor == self.ways.get("start") else position(cursor, self.ways["form"])

    def cursor(self, asked: Sent) -> Any:
        return at(asked, self.ways["param"])

    def paged(self, start: int, documents: list[bytes]) -> Response:
        end, form = start + len(documents), self.ways["form"]
        following = None if self.is_end(start) else made(end, form)
        if self.ways.get("place") == "header":
            return answered(documents, {"X-Next": str(following)} if following else self.ways.get("nothing", {}))
        return answered(documents, meta={"next": following} if following else self.ways.get("nothing", {}))


FORM_AT = [
    ("cursor", ["text", "digits", "number", "long"]),
    ("page[after]", ["text"]),
    ("json:startkey", ["text", "number", "array", "object"]),
    ("header:X-Cursor", ["ascii", "digits", "number"]),
    ("body:cursor", ["text", "number", "long", "array", "object"]),
    ("body:variables.page.after", ["text", "object"]),
    ("form:cursor", ["text", "number"]),
]
PLACES = [(param, form) for param, forms in FORM_AT for form in forms]
third = settings(max_examples=max(1, settings().max_examples // 3))
"""Where many ways are tried."""
NOTHING: list[Fields] = [{}, {"next": None}, {"next": ""}, {"next": False}, {"next": []}, {"next": {}}]


def said(param: str, **paginate: Any) -> Fields:
    """A crawl whose cursor goes there; where it goes into a body, there is one."""
    fields: Fields = {"paginate": {"kind": "cursor", "next": "meta.next", "param": param, **paginate}}
    if param.startswith("form:"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        fields |= {"method": "POST", "body": "a=b", "headers": headers}
    elif param.startswith("body:"):
        fields |= {"method": "POST", "body": {"q": {"a": [1]}, "variables": {"x": 1}}}
    return fields


def method(param: str) -> str:
    return "POST" if param.startswith(("form:", "body:")) else "GET"


@pytest.mark.parametrize(("param", "form"), PLACES)
@third
@given(collection=collections(), nothing=st.sampled_from(NOTHING))
def test_a_cursor_from_the_body(param: str, form: str, collection: Any, nothing: Fields) -> None:
    server = Cursors(*collection, param=param, form=form, method=method(param), nothing=nothing)
    assert_exact(server, said(param))
    assert_exact(server, said(param, next="$.meta['next']"))


@pytest.mark.parametrize("param", ["cursor", "header:X-Cursor", "body:cursor", "form:cursor"])
@third
@given(collection=collections(), nothing=st.sampled_from([{}, {"X-Next": ""}]))
def test_a_cursor_from_a_header(param: str, collection: Any, nothing: Fields) -> None:
    server = Cursors(*collection, param=param, form="ascii", method=method(param), place="header", nothing=nothing)
    assert_exact(server, said(param, next="header:X-Next"))


@pytest.mark.parametrize(("param", "form"), PLACES)
@third
@given(collection=collections())
def test_a_cursor_to_start_with(param: str, form: str, collection: Any) -> None:
    server = Cursors(*collection, param=param, form=form, method=method(param), start="*")
    assert_exact(server, said(param, start="*"))


class InPath(Cursors):
    """The cursor is a part of the path."""

    def cursor(self, asked: Sent) -> Any:
        assert asked.path.startswith("/from/")
        return unquote(asked.path.removeprefix("/from/").removesuffix("/things"))


@given(collections(), st.sampled_from(["text", "ascii", "number"]))
def test_a_cursor_in_the_path(collection: Any, form: str) -> None:
    server = InPath(*collection, param="path:cursor", form=form, start="*")
    assert_exact(server, {"url": TEMPLATE, **said("path:cursor", start="*")})


# From the last document


class After(Cursors):
    """Behind the document that is named; what says that there is no more is `ending`."""

    def start(self, asked: Sent) -> int:
        cursor, ids = self.cursor(asked), [identifier(one) for one in self.documents]
        return 0 if cursor is None else ids.index(int(str(cursor).removeprefix("k"))) + 1

    def paged(self, start: int, documents: list[bytes]) -> Response:
        has_more = not self.is_end(start)
        flags: Fields = {"more": {"has_more": has_more}, "done": {"is_last": not has_more}, "empty": {}}
        return answered(documents, meta=flags[self.ways["ending"]])


@pytest.mark.parametrize("param", ["cursor", "body:after", "header:X-After", "json:after"])
@third
@given(
    collection=collections(),
    field=st.sampled_from(["id", "of.kind"]),
    ending=st.sampled_from([("more", {"more": "meta.has_more"}), ("done", {"done": "meta.is_last"}), ("empty", {})]),
)
def test_a_cursor_from_the_last_document(param: str, collection: Any, field: str, ending: Any) -> None:
    server = After(*collection, param=param, field=field, ending=ending[0], method=method(param))
    assert_exact(server, said(param, next=f"last:{field}", **ending[1]))


def test_a_document_whose_number_is_zero() -> None:
    """Of a server's own cursor 0 says that there is none."""
    server = After([document(number, "") for number in (0, 1, 2)], 1, param="after", field="id", ending="empty")
    assert_exact(server, said("after", next="last:id"))


# Which answer is the last

WORDS: list[tuple[Any, Any]] = [(True, False), ("true", "false"), (1, 0), ("1", "0"), ("yes", ""), ([1], []), (7, None)]
"""How servers say that there is more, and that there is not."""


class Flagged(Cursors):
    """Each page has a cursor, the last one too; a flag tells, in the body or in a header."""

    def paged(self, start: int, documents: list[bytes]) -> Response:
        word = self.ways["words"][self.is_end(start)]
        meta: Fields = {"next": made(min(start + self.size, len(self.documents)) or 9**9, "text")}
        if self.ways["flag_at"] == "header":
            return answered(documents, {"X-Flag": str(word)} if word is not None else {}, meta=meta)
        return answered(documents, meta=meta | {"flag": word})


@pytest.mark.parametrize("flag", ["more", "done"])
@third
@given(collection=collections(), words=st.sampled_from(WORDS), flag_at=st.sampled_from(["body", "header"]))
def test_a_flag_says_which_is_the_last(flag: str, collection: Any, words: Any, flag_at: str) -> None:
    words = words if flag == "more" else words[::-1]
    if flag_at == "header":
        words = [word if word is None else str(word).replace("[1]", "true").replace("[]", "false") for word in words]
    server = Flagged(*collection, param="cursor", form="text", words=words, flag_at=flag_at)
    assert_exact(server, said("cursor", **{flag: "meta.flag" if flag_at == "body" else "header:x-flag"}))


class Repeating(Cursors):
    """The last answer names the cursor that it was asked with; Solr's has no documents, others' has."""

    def paged(self, start: int, documents: list[bytes]) -> Response:
        is_last = not documents if self.ways["is_solr"] else self.is_end(start)
        asked = made(start, self.ways["form"]) if start else self.ways["start"]
        return answered(documents, meta={"next": asked if is_last else made(start + len(documents), self.ways["form"])})


@given(collections(), st.booleans(), st.sampled_from(["text", "number", "array"]))
def test_a_repeated_cursor_is_the_end(collection: Any, is_solr: bool, form: str) -> None:
    param = "json:mark" if form == "array" else "mark"
    server = Repeating(*collection, param=param, form=form, start="*", is_solr=is_solr)
    assert_exact(server, said(param, start="*", repeated="end"))


class Endless(Cursors):
    """Every page has a cursor, also the empty one behind the last."""

    def paged(self, start: int, documents: list[bytes]) -> Response:
        return answered(documents, meta={"next": made(start + len(documents) or 9**9, self.ways["form"])})


@given(collections(), st.sampled_from(["text", "number"]))
def test_an_empty_page_is_the_end(collection: Any, form: str) -> None:
    assert_exact(Endless(*collection, param="cursor", form=form), said("cursor", empty="end"))


class Gappy(Cursors):
    """Filters behind its cursors: every other page is empty."""

    def start(self, asked: Sent) -> int:
        return 0 if (cursor := self.cursor(asked)) is None else int(cursor)

    def paged(self, start: int, documents: list[bytes]) -> Response:
        if start % 2:
            return answered([], meta={"next": str(start + 1)})
        here = self.part(start // 2 * self.size)
        return answered(here, meta={} if self.is_end(start // 2 * self.size) else {"next": str(start + 1)})

    def part(self, start: int, size: int | None = None) -> list[bytes]:
        return super().part(min(start, len(self.documents)), size)


@given(collections())
def test_an_empty_page_is_not_the_end(collection: Any) -> None:
    assert_exact(Gappy(*collection, param="cursor", form="digits"), said("cursor"))
