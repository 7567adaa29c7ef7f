"""Every guard has a mutant that must be caught: what the shipped scripts do right, the same scripts less one guard do
wrong, in the very same scenario. A mutant that is not caught, or that changes no text, fails here.

Which guard is for what, and what each one cannot do alone, was found by a model checker and by chaos: reliability.md,
3.2 and 3.3. The fence and the position stand in for each other as long as the source does not change; so those
scenarios let a document appear at the front of a source that is paged through by offset.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import pytest
from redis.asyncio import Redis

from pagefleet.scripts import Scripts, source
from tests.redis import scenes
from tests.redis.actors import case
from tests.redis.scenes import Scene

Edit = tuple[str, str]
"""(what is there, what stands in its place)."""


@dataclass(frozen=True)
class Mutant:
    """Scripts with parts replaced: script name -> edits."""

    edits: Mapping[str, list[Edit]]

    def text(self, name: str) -> str:
        """Each edit must find its part exactly once: a script that is rewritten needs its mutants rewritten."""
        text = source(name)
        for there, instead in self.edits[name]:
            assert text.count(there) == 1, f"{name} has not exactly one {there!r}"
            assert there != instead
            text = text.replace(there, instead)
        return text


class Mutated(Scripts):
    """The real client with other texts."""

    def __init__(self, redis: Redis, mutant: Mutant) -> None:
        super().__init__(redis, 5.0)
        self._texts = {name: mutant.text(name) for name in mutant.edits}

    def _script(self, name: str) -> str:
        return self._texts.get(name) or super()._script(name)


# The mutants

FENCE = """if fence ~= ARGV[2] then
  return answer('fenced')
end
"""
GIVEN = "'job ' .. leases, 'fence', ARGV[3]"
LEASED = "local state, fence, leases = "
NAME = "string.match(ARGV[{}], '^[^.]*')"
SAME_NAME = FENCE.replace("ARGV[2]", NAME.format(2))
POSITION = """if page ~= ARGV[4] or index ~= ARGV[5] or cursor ~= ARGV[6] then
  return answer('conflict')
end
"""
COMMIT_ID = """if last == ARGV[3] then
  return answer('committed') -- the reply was lost, and the same commit came again
end
"""
STATE = """if state ~= 'running' then
  return answer(state)
end
"""
TYPES = """for _, stream in ipairs({ documents, ledger, quarantine }) do
  local kind = redis.call('TYPE', stream).ok
  if kind ~= 'stream' and kind ~= 'none' then
    return redis.error_reply('ERR ' .. stream .. ' is a ' .. kind .. ', not a stream')
  end
end
"""
LENGTH = "local length = redis.call('XLEN', documents)\n"
CURSOR = """\
redis.call('HSET', slice, 'page', ARGV[7], 'index', ARGV[8], 'cursor', ARGV[9], 'commit', ARGV[3], 'digest', ARGV[13],
  'documents', delivered, 'pages', pages, 'bytes', bytes, 'until', now + ARGV[10], 'wait', ARGV[10], 'committed', now,
  'rescues', 0)
"""
CLEAR = "clear(documents, at_page, at_index)\n"
WAITING = "  if start and redis.call('EXISTS', 'arq:job:' .. job) == 1"
AHEAD = "  return now < moment and moment <= now + 2 * wait\n"
CLOSED = """if state ~= 'running' then
  return 'released' -- paused or cancelled while it ran
end
"""
REST = "local rest = rescues > 1 and math.min(LONGEST_REST, 1000 * 2 ^ (rescues - 2)) or 0\n"
LEAST = "if not is_gone and (not page or p < page or (p == page and i < index)) then"
PLAN = """if plan and plan ~= said then
  return { 'other', plan }
end
"""
SPLIT = """\
move('finished', ARGV[8], 'split', count .. ' parts', 'fence', '', 'worker', '', 'until', 0, 'wait', 0, 'finished', now,
  'commit', ARGV[3], 'split', count, 'rescues', 0)
"""
SHARE = "limit = tonumber(limit)\n"
NOTHING = ""

MUTANTS: dict[str, tuple[Mutant, Callable[[Scene], Awaitable[str]], str]] = {
    "no fence": (Mutant({"commit": [(FENCE, NOTHING)]}), scenes.stale_worker, r"lost \[b'd'\]"),
    "a number for a fence": (
        Mutant({"lease": [("parse_fence(ARGV[3])", "parse_fence(ARGV[2])"), (GIVEN, GIVEN.replace("3", "2"))]}),
        scenes.stale_worker,
        r"lost \[b'd'\]",
    ),
    "one fence for all requests": (
        Mutant({"lease": [(LEASED, f"ARGV[3] = {NAME.format(3)}\n{LEASED}")], "commit": [(FENCE, SAME_NAME)]}),
        scenes.stuck_lease,
        r"lost \[b'b'\]",
    ),
    "no position": (Mutant({"commit": [(POSITION, NOTHING)]}), scenes.worker_ahead, r"lost \[.*\]"),
    "no commit id": (Mutant({"commit": [(COMMIT_ID, NOTHING)]}), scenes.lost_replies, r"\d leases; $"),
    "neither commit id nor position": (
        Mutant({"commit": [(COMMIT_ID, NOTHING), (POSITION, NOTHING)]}),
        scenes.lost_replies,
        r"counts \d+ for \d",
    ),
    "cursor before documents": (
        Mutant(
            {"commit": [(TYPES, NOTHING), (CURSOR, NOTHING), (LENGTH, "local length = 0\n"), (CLEAR, CURSOR + CLEAR)]}
        ),
        scenes.error_between,
        r"lost \[b'\{\"page\":1",
    ),
    "torn entries stay": (
        Mutant({"commit": [(CLEAR, NOTHING)]}),
        scenes.torn_page,
        r"lost .*never ends, \w+ at page 2",
    ),
    "torn entries stay at the end": (
        Mutant({"commit": [(CLEAR, NOTHING)]}),
        scenes.torn_end,
        r"more than once \[b'torn'\]",
    ),
    "trimming up to the first reader": (
        Mutant({"commit": [(LEAST, LEAST.replace("<", ">"))]}),
        scenes.slow_reader,
        r"unread \d",
    ),
    "no look at the state": (Mutant({"commit": [(STATE, NOTHING)]}), scenes.cancelled, "delivered after the cancel"),
    "release whatever the state": (Mutant({"release": [(CLOSED, NOTHING)]}), scenes.paused, "queued after the pause"),
    "rescue what waits": (
        Mutant({"rescue": [(WAITING, WAITING.replace("start", "false"))]}),
        scenes.long_queue,
        "2 jobs",
    ),
    "rescue for ever": (
        Mutant({"rescue": [("if rescues > MOST_RESCUES then", "if false then")]}),
        scenes.deadly_page,
        "rescued for ever",
    ),
    "rescue without a rest": (
        Mutant({"rescue": [(REST, "local rest = 0\n")]}),
        scenes.deadly_page,
        "2 times without a rest",
    ),
    "a commit is no progress": (
        Mutant({"commit": [(", 'committed', now,\n  'rescues', 0)", ", 'committed', now)")]}),
        scenes.unlucky_workers,
        "snoozed in spite of a commit",
    ),
    "a plan that is made anew": (
        Mutant({"split": [(PLAN, NOTHING)]}),
        scenes.torn_split,
        r"more than once \[b'4'\]",
    ),
    "a slice ends before its children are there": (
        Mutant({"split": [(SPLIT, NOTHING), (SHARE, SPLIT + SHARE)]}),
        scenes.error_in_a_split,
        r"lost \[b'10', b'11', b'5',",
    ),
    "a resume is no new start": (
        Mutant({"steer": [(", 'rescues', 0)", ")")]}),
        scenes.unlucky_workers,
        "failed in spite of a resume",
    ),
    "trust in the clock": (
        Mutant({"rescue": [(AHEAD, "  return now < moment\n")]}),
        scenes.clock_back,
        "leased for an hour",
    ),
}


@pytest.mark.invariant("C-2", "C-3", "C-4", "C-7", "C-14", "C-16")
@pytest.mark.parametrize("name", MUTANTS)
async def test_the_mutant_is_caught_and_the_shipped_scripts_pass(redis_url: str, name: str) -> None:
    mutant, scenario, symptom = MUTANTS[name]
    async with case(redis_url, 2, 2, 1, 2) as c:
        assert await scenario(Scene(c, has_numbers=False)) == ""
        await c.call("FLUSHALL")
        mutated = replace(c, scripts=Mutated(c.redis, mutant))
        assert re.search(symptom, await scenario(Scene(mutated, has_numbers="lease" in mutant.edits)))
        await c.call("FLUSHALL")
