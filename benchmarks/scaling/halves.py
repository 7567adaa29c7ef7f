"""Our scripts cut in two for a Redis Cluster: what they do to the slice, in its hash slot, and what they do elsewhere.

Elsewhere are `pagefleet:due`, arq's queue and its keys, and the crawl's own row. A data half is the script as it is
shipped, with one change: a command whose key is elsewhere is not carried out, but answered for the caller to carry out.
That is enough to measure, and to see what a product on a cluster would have to do; it is no such product, for what a
script *reads* elsewhere comes back as if it were not there.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from redis.crc import key_slot

from pagefleet.scripts import Scripts, source

CALL = re.compile(r"redis\.call\('(\w+)', (due|queue|crawls?|slices|child|its_\w+|KEYS\[9\]|'arq:[\w-]+:')")
READS = {"ZCOUNT", "ZSCORE", "EXISTS", "HGET", "HMGET"}
SHARED = ("enqueue_job", "forget_job")
"""Functions of the prelude that do something elsewhere."""
BEFORE = """
local elsewhere, due, queue = {}, 'pagefleet:due', 'pagefleet:queue'
local function call(command, key, ...)
  if not key then
    return redis.call(command)
  end
  if not string.find(key, '{' .. ARGV[1] .. '}', 1, true) then
    table.insert(elsewhere, { command, key, ... })
    return false
  end
  return redis.call(command, key, ...)
end
local function script()
"""
AFTER = """
end
return { script(), elsewhere }
"""


@cache
def data_half(name: str) -> str:
    """The text of a script of a slice that touches one hash slot."""
    text = source(name)
    if not text.count(", due, queue = unpack(KEYS)"):
        raise RuntimeError(f"cutting {name}.lua in two: its prelude has changed; change benchmarks/scaling/halves.py")
    text = text.replace(", due, queue = unpack(KEYS)", " = unpack(KEYS)")
    text = re.sub(
        r"crawl, crawls, slices = (KEYS\[\d+\],? ?){3}",
        "crawl, crawls, slices = 'pagefleet:crawl', 'pagefleet:crawls', 'pagefleet:slices' ",
        text,
    )
    return BEFORE + text.replace("redis.call(", "call(") + AFTER


def elsewhere(name: str) -> tuple[list[str], list[str]]:
    """What a script writes and reads elsewhere, by its text."""
    prelude = source(name).removesuffix(_own(name))
    bodies = dict(re.findall(r"^local function (\w+)\([^)]*\)\n(.*?)^end", prelude, re.DOTALL | re.MULTILINE))
    own = _own(name)
    parts = [own, *(bodies[function] for function in SHARED if f"{function}(" in own)]
    found = dict.fromkeys(match for part in parts for match in CALL.findall(part))
    said = [(command, f"{command} {_named(key)}") for command, key in found]
    return [text for command, text in said if command not in READS], [
        text for command, text in said if command in READS
    ]


def _named(key: str) -> str:
    if key.startswith("'"):
        return f"{key[1:-1]}..."
    return "slices" if key == "KEYS[9]" else key.replace("its_", "child's ")


def _own(name: str) -> str:
    """A script without its prelude."""
    return source(name).partition(f"-- {name}: ")[2]


class DataHalf(Scripts):
    """The scripts on one node of a cluster; `bus` carries out what is to be done elsewhere, None: nobody does."""

    bus: Any = None

    def _script(self, name: str) -> str:
        return data_half(name)

    def _made(
        self, name: str, keys: Sequence[str], *args: bytes | str | float, documents: Sequence[bytes] = ()
    ) -> Callable[[], Awaitable[Any]]:
        here = key_slot(keys[0].encode())
        mine = [key for key in keys if key_slot(key.encode()) == here]
        call = super()._made(name, mine, *args, documents=documents)

        async def both() -> Any:
            answer, commands = await call()
            for command in commands if self.bus else ():
                await self.bus.execute_command(*command)
            return answer

        return both


@dataclass(frozen=True)
class Slots:
    """Which node has which hash slot."""

    nodes: tuple[tuple[range, str], ...]

    @classmethod
    async def of(cls, node: Any) -> Self:
        """As one of them knows it."""
        return cls(tuple(cls._read(await node.execute_command("CLUSTER SLOTS"))))

    @staticmethod
    def _read(answer: Any) -> Iterator[tuple[range, str]]:
        for first, last, (host, port, *_), *_ in answer:
            yield range(first, last + 1), f"redis://{host.decode()}:{port}/0"

    def url(self, key: str) -> str:
        """Of the node that has a key."""
        slot = key_slot(key.encode())
        return next(url for slots, url in self.nodes if slot in slots)
