"""What presets hold, and how a crawl file goes on top of one."""

import tomllib
from pathlib import Path
from typing import Any, TypeGuard, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet import presets
from pagefleet.presets import Verified, about, applied, names

FILES = sorted(Path(presets.__file__).parent.glob("*.toml"))


def test_names_are_the_files() -> None:
    assert names() == sorted(file.stem for file in FILES)
    assert names() is not names()


@pytest.mark.parametrize("name", names())
def test_what_is_told_of_a_preset(name: str) -> None:
    told = about(name)
    assert told.name == name
    assert told.title
    assert told.docs.startswith("https://")
    assert told.limits
    assert told.courtesy
    assert told.verified in get_args(Verified)
    assert all(sentence.endswith(".") for sentence in (*told.pitfalls, told.limits, told.courtesy))
    assert told.pitfalls


@pytest.mark.parametrize("name", names())
def test_an_example_says_all_that_is_needed(name: str) -> None:
    told = about(name)
    example = tomllib.loads(told.example)
    for need in told.needs:
        place: Any = example
        for member in need.split("."):
            place = place[member]
    assert len(told.example.strip().splitlines()) <= 9


def test_without_a_preset_nothing_changes() -> None:
    said = {"url": "https://example.org/", "params": {"a": 1}}
    assert applied(said) == said


def test_the_files_own_words_go_on_top() -> None:
    said = {"preset": "crossref", "params": {"rows": 10, "mailto": "a@b"}, "rate": "2/s", "paginate": {"start": "x"}}
    found = applied(said)
    assert found["params"] == {"rows": 10, "mailto": "a@b"}
    assert found["rate"] == "2/s"
    assert found["documents"] == "message.items"
    assert found["paginate"] == {**applied({"preset": "crossref"})["paginate"], "start": "x"}
    assert not {"preset", "about"} & found.keys()


def test_another_kind_of_paginator_replaces_the_presets() -> None:
    """In `each` and `fallback`, too; but a parameter that is called kind is only a parameter."""
    offset = {"kind": "offset", "limit": 20, "limit_param": "rows"}
    assert applied({"preset": "crossref", "paginate": offset})["paginate"] == offset
    same = applied({"preset": "crossref", "paginate": {"kind": "cursor", "start": "x"}})["paginate"]
    assert same["param"] == "cursor"
    named = applied({"preset": "crossref", "params": {"kind": "book"}})
    assert named["params"] == {"rows": 1000, "kind": "book"}


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(names()), st.dictionaries(st.sampled_from(["params", "headers", "body", "x"]), json_value))
def test_what_a_file_says_stands(name: str, said: dict[str, Any]) -> None:
    found = applied({"preset": name, **said})
    assert_stands(said, found)
    assert applied({"preset": name}) == applied({"preset": name})  # nothing is kept of what was said


def assert_stands(said: Any, found: Any) -> None:
    if not is_table(said):
        assert found == said
        return
    for field, value in said.items():
        assert_stands(value, found[field])


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crosref", "there is no preset 'crosref'; did you mean crossref?"),
        ("??", "there is no preset '??'; `pagefleet presets` lists them"),
        ("../presets/crossref", "there is no preset '../presets/crossref'; "),
        (7, "there is no preset 7; `pagefleet presets` lists them"),
        (["crossref"], "there is no preset ['crossref']; "),
    ],
)
def test_a_preset_that_is_not_there(name: Any, expected: str) -> None:
    for asked in (lambda: applied({"preset": name}), lambda: about(name)):
        with pytest.raises(ValueError, match="there is no preset") as error:
            asked()
        assert str(error.value).startswith(expected)
