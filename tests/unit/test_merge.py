"""Answers that make one page are merged on their text: what is not merged itself keeps its bytes."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.decode import is_array, is_object
from pagefleet.errors import Stop
from pagefleet.merge import merged

ODD = ["1e400", "1.0", "-0.0", "1.50", "12345678901234567890", "9" * 5000, '"\\u00e9"', '"é"', '"\\ud83d"', '"\\/"']
NAMES = st.sampled_from(['"a"', '"\\u0061"', '"b"', '"\\u00e9"', '"é"', '"c]"', '"\\ud83d"'])
TREES: Any = st.recursive(
    st.sampled_from([*ODD, "null", "true", "1", '"a, [b] : {c}\\""']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
"""JSON as it is written: texts, lists of them, and dictionaries whose names are written, too."""
DOCUMENTS = st.dictionaries(NAMES, TREES, max_size=4)


def written(tree: Any) -> str:
    if is_object(tree):
        return "{ " + " ,\n".join(f"{name}\t: {written(value)}" for name, value in once(tree).items()) + "}"
    return "[" + ", ".join(map(written, tree)) + " ]" if is_array(tree) else str(tree)


def once(tree: dict[str, Any]) -> dict[str, Any]:
    """Without names that are the same, however they are written."""
    return {name: value for name, value in tree.items() if name == first_of(tree, name)}


def first_of(tree: dict[str, Any], name: str) -> str:
    """How a name is written in it, if it is there."""
    return next((other for other in tree if json.loads(other) == json.loads(name)), name)


def both(one: Any, other: Any) -> Any:
    if is_object(one) and is_object(other):
        whole = once(one)
        for name, value in once(other).items():
            there = first_of(whole, name)
            whole[there] = both(whole[there], value) if there in whole else value
        return whole
    if is_array(one) and is_array(other):
        return [*one, *(value for value in other if written(value) not in map(written, one))]
    return other


def compact(text: str) -> str:
    return "".join(re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', text))


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_not_merged_keeps_its_bytes(one: Any, other: Any) -> None:
    one, other = {'"key"': '"k"', **one}, {'"key"': '"k"', **other}
    (whole,) = merged([[written(one).encode()], [written(other).encode()]], ("key",))
    assert compact(whole.decode()) == compact(written(both(one, other)))


def test_names_keep_their_order_and_their_escapes() -> None:
    parts = [[b'{"id": 1, "z\\u00e9": 1e400, "a": {"n" : 1.0}}'], [b'{"id": 1, "a": {"m" : [1.50]}, "b": -0.0}']]
    assert merged(parts, ("id",)) == [b'{"id":1,"z\\u00e9":1e400,"a":{"n":1.0,"m":[1.50]},"b":-0.0}']


@pytest.mark.parametrize("again", [b'{"id": 1}', b'{"id": 1, "a": [1.0, {"b":2}]}', b'{"id": 1, "a": [ 1.0]}'])
def test_an_answer_that_says_nothing_new_changes_nothing(again: bytes) -> None:
    one = b'{ "id": 1,\n "a": [ 1.0 , {"b":2}] }'
    assert merged([[one], [again]], ("id",)) == [one]


def test_documents_stand_in_the_order_of_their_first_appearance() -> None:
    parts = [[b'{"id":2}', b'{"x":1.0}'], [b'{"id":1}', b'{"id":2,"a":1e400}', b'{"x":1.0}']]
    assert merged(parts, ("id",)) == [b'{"id":2,"a":1e400}', b'{"x":1.0}', b'{"id":1}', b'{"x":1.0}']


def test_what_is_nested_too_deep() -> None:
    one, other = ([b'{"id":1,"a":' + b'{"b":' * 700 + n + b"}" * 701] for n in (b"1", b"2"))
    with pytest.raises(Stop, match="nested too deep"):
        merged([one, other], ("id",))
