"""What may be left in Redis when nobody is at work: keys that have a reason, and nothing that is over and still due."""

import re
import time
from typing import Any, cast

from redis import Redis

from pagefleet import keys as key
from pagefleet.keys import SliceKeys
from pagefleet.states import State

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
SLICE = SliceKeys("NAME")
TAG = rf"{NAME}:[0-9]+(?:\.[0-9]+)*"


def _pattern(example: str) -> str:
    return re.escape(example).replace(r"NAME:0", f"(?P<tag>{TAG})").replace("NAME", NAME)


KINDS = {
    _pattern(key.CRAWLS): "zset",
    _pattern(key.DUE): "zset",
    _pattern(key.QUEUE): "zset",
    _pattern(key.crawl("NAME")): "hash",
    _pattern(key.slices("NAME")): "hash",
    _pattern(SLICE.slice): "hash",
    _pattern(SLICE.documents): "stream",
    _pattern(SLICE.ledger): "stream",
    _pattern(SLICE.consumers): "hash",
    _pattern(SLICE.quarantine): "stream",
    _pattern(SLICE.events): "hash",
}
"""Of the keys that stay."""
PASSING = {
    re.escape(key.budget("ORIGIN")).replace("ORIGIN", ".+"): "hash",
    r"arq:job:(?P<tag>" + TAG + r"):[0-9]+": "string",
    r"arq:in-progress:(?P<tag>" + TAG + r"):[0-9]+": "string",
    r"arq:retry:(?P<tag>" + TAG + r"):[0-9]+": "string",
    r"pagefleet:worker:.+": "string",
}
"""Of the keys that must end by themselves."""


def check_remains(redis: Redis) -> None:
    """Fail if anything is left behind that should not be, a connection included."""
    check_keys(redis)
    check_connections(redis)


def check_keys(redis: Redis) -> None:
    names = {name.decode() for name in _call(redis, "KEYS", "*")}
    slices = {SliceKeys.of(match["tag"]) for name in names if (match := re.fullmatch(_pattern(SLICE.slice), name))}
    for name in names:
        _check_key(redis, name, slices)
    for keys in slices:
        _check_slice(redis, keys, names)
    tags = {tag.decode() for tag in _call(redis, "ZRANGE", key.DUE, 0, -1)}
    assert tags <= {keys.tag for keys in slices}, "due holds a slice that is not there"


def _check_key(redis: Redis, name: str, slices: set[SliceKeys]) -> None:
    found = [
        (match, kind) for kinds in (KINDS, PASSING) for p, kind in kinds.items() if (match := re.fullmatch(p, name))
    ]
    assert found, f"{name} is no key of keys.py, nor arq's"
    match, kind = found[0]
    assert _call(redis, "TYPE", name) == kind.encode(), name
    is_passing = match.re.pattern in PASSING
    assert (_call(redis, "PTTL", name) > 0) == is_passing, f"{name}: does it end by itself?"
    tag = match.groupdict().get("tag")
    assert tag is None or SliceKeys.of(tag) in slices, f"{name} belongs to no slice"


def _check_slice(redis: Redis, keys: SliceKeys, names: set[str]) -> None:
    state, leases = (value.decode() for value in _call(redis, "HMGET", keys.slice, "state", "leases"))
    is_due = _call(redis, "ZSCORE", key.DUE, keys.tag) is not None
    assert is_due == (state in ("queued", "running", "snoozed")), f"{keys.tag} is {state}, and due: {is_due}"
    jobs = {job.decode() for job in _call(redis, "ZRANGE", key.QUEUE, 0, -1) if job.startswith(f"{keys.tag}:".encode())}
    assert jobs <= ({f"{keys.tag}:{leases}"} if state == "queued" else set[str]()), f"{keys.tag} is {state}"
    if State(state).is_over:
        left = {name for name in names if re.fullmatch(rf"arq:[a-z-]+:{re.escape(keys.tag)}:[0-9]+", name)}
        assert not left, f"{keys.tag} is {state}"
    assert _call(redis, "EXISTS", keys.documents + ":copy", keys.ledger + ":copy") == 0


def check_connections(redis: Redis) -> None:
    """All are closed but ours; Redis may need a moment to notice."""
    until = time.monotonic() + 2.0
    while len(clients := _call(redis, "CLIENT", "LIST").splitlines()) > 1:
        assert time.monotonic() < until, f"left open: {clients}"


def _call(redis: Redis, *command: Any) -> Any:
    untyped: Any = cast("Any", redis)
    return untyped.execute_command(*command)
