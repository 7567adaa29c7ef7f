"""What may be wrong with a fleet's Redis and what is in it, each concern with what was found and what to do."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from pagefleet import keys as key
from pagefleet.keys import CRAWLS, DUE, QUEUE, WHOLE, SliceKeys

MOST_SKEW = 1.0
"""Seconds between Redis' clock and a host's: arq compares its own with what Redis said."""
OVERDUE = 30.0
"""Seconds after which somebody should have looked at a slice again."""
MOST_KEYS = 200_000
"""Looked through for leaks."""
OLDEST = (6, 2)
PATCHED = {
    "redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
"""The first release of each branch without CVE-2025-49844: scripts could run code. What is later has none of it."""


@dataclass(frozen=True, slots=True)
class Concern:
    """A word for machines, what was found, and what to do."""

    word: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.word}: {self.found}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. `config` is empty where Redis does not tell; times are Redis' own, in ms."""

    info: Mapping[str, Any]
    config: Mapping[str, str]
    skew: float = 0.0
    now: int = 0
    is_ours: bool = False
    """An embedded Redis: nobody else reaches it, and it is repaired before each start."""
    workers: int = 0
    slices: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """By tag."""
    due: Mapping[str, float] = field(default_factory=dict[str, float])
    jobs: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """By job id, those that wait in the queue."""
    leaked: Sequence[str] = ()
    """Keys that belong to no crawl."""
    results: int = 0
    """That arq keeps for jobs of ours."""


def diagnose(facts: Facts) -> list[Concern]:
    """All concerns, the gravest first."""
    return [concern for check in CHECKS for concern in check(facts)]


def _eviction(facts: Facts) -> Iterator[Concern]:
    policy = facts.info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        remedy = "set maxmemory-policy noeviction; no worker starts before"
        yield Concern("eviction", f"maxmemory-policy is {policy}, which drops documents and checkpoints", remedy)


def _persistence(facts: Facts) -> Iterator[Concern]:
    has_snapshots = facts.config.get("save", "?") != ""
    if not facts.info.get("aof_enabled"):
        found = "only snapshots are kept" if has_snapshots else "nothing is kept over a restart"
        yield Concern("persistence", f"the append-only file is off, and {found}", "set appendonly yes")
    elif facts.config.get("appendfsync") == "no":
        yield Concern("fsync", "appendfsync is no: a power loss takes up to 30 s of commits", "set it to everysec")


def _torn_writes(facts: Facts) -> Iterator[Concern]:
    if facts.info.get("aof_enabled") and facts.config.get("aof-load-truncated") == "yes" and not facts.is_ours:
        yield Concern(
            "torn-writes",
            "aof-load-truncated is yes: half a commit that a power loss left runs at the second start behind it",
            "set it to no, and run redis-check-aof --fix before each start, as deploy/redis/start.sh does",
        )


def _version(facts: Facts) -> Iterator[Concern]:
    name = str(facts.info.get("server_name", "redis"))
    text = str(facts.info.get(f"{name}_version", facts.info.get("redis_version", "0")))
    major, minor, patch = ([int(part) for part in text.split(".")[:3] if part.isdigit()] + [0, 0, 0])[:3]
    if (major, minor) < OLDEST:
        yield Concern("too-old", f"this is {name} {text}", "use 6.2 or later")
    fixed = PATCHED.get(name, {})
    is_patched = patch >= fixed.get((major, minor), 1000) or (major, minor) > max(fixed, default=(0, 0))
    if not is_patched and not facts.is_ours:
        yield Concern(
            "scripts-hole",
            f"{name} {text} lets whoever may run scripts run code (CVE-2025-49844), unless your distribution mended it",
            "update it",
        )


def _memory(facts: Facts) -> Iterator[Concern]:
    most, used = int(facts.info.get("maxmemory", 0)), int(facts.info.get("used_memory", 0))
    if most and used > 0.9 * most:
        remedy = "let consumers read and acknowledge, or raise maxmemory; at the limit no commit succeeds"
        yield Concern("memory", f"{used / 2**20:,.0f} of {most / 2**20:,.0f} MiB are used", remedy)


def _clock(facts: Facts) -> Iterator[Concern]:
    if abs(facts.skew) > MOST_SKEW:
        found = f"this machine's clock and Redis' are {abs(facts.skew):.1f} s apart"
        yield Concern("clock-skew", found, "set both by NTP; jobs start that much later")


def _replication(facts: Facts) -> Iterator[Concern]:
    if facts.info.get("role") == "slave":
        yield Concern("replica", "this is a replica, and refuses writes", "give the URL of its master, or sentinel://")
    elif int(facts.info.get("connected_slaves", 0)) and facts.config.get("min-replicas-to-write", "1") == "0":
        yield Concern(
            "failover",
            "min-replicas-to-write is 0: a master that is cut off goes on taking commits that are lost with it",
            "set it to 1, with min-replicas-max-lag 10",
        )


def _connections(facts: Facts) -> Iterator[Concern]:
    if 0 < int(facts.config.get("timeout", 0)) < OVERDUE:
        found = f"timeout is {facts.config['timeout']} s: idle connections are closed"
        yield Concern("timeout", found, "set it to 0; workers and consumers keep theirs")
    is_open = facts.config.get("protected-mode") == "no" and facts.config.get("requirepass", "?") == ""
    if is_open and not facts.is_ours and not _is_local(facts.config.get("bind", "")):
        yield Concern(
            "open",
            f"it listens on {facts.config.get('bind') or 'all addresses'} without a password, for whoever reaches it",
            "set up ACL users, or bind it to addresses that only the fleet reaches",
        )


def _is_local(bind: str) -> bool:
    return bool(bind) and all(address.lstrip("-") in ("127.0.0.1", "::1") for address in bind.split())


def _processes(facts: Facts) -> Iterator[Concern]:
    overdue = [tag for tag, moment in facts.due.items() if moment + OVERDUE * 1000 < facts.now]
    if overdue:
        found = f"{len(overdue)} slices wait since more than {OVERDUE:g} s for somebody to look at them ({overdue[0]})"
        yield Concern("no-scheduler", found, "start a scheduler")
    queued = [tag for tag, row in facts.slices.items() if row.get("state") == "queued"]
    if queued and not facts.workers:
        yield Concern("no-worker", f"{len(queued)} slices are queued, and no worker has shown itself", "start workers")


def _stuck(facts: Facts) -> Iterator[Concern]:
    open_ = {tag for tag, row in facts.slices.items() if row.get("state") in ("queued", "running", "snoozed")}
    lost = sorted(open_ - facts.due.keys())
    if lost:
        found = f"{len(lost)} slices are open, and nobody will look at them again ({lost[0]})"
        yield Concern("stuck", found, "pause and resume their crawls")


def _queue(facts: Facts) -> Iterator[Concern]:
    foreign = [job for job, body in facts.jobs.items() if not _is_ours(body)]
    if foreign:
        found = f"{len(foreign)} jobs in our queue are not ours, or pickled ({foreign[0]})"
        yield Concern("foreign-jobs", found, "give the other application another queue and serializer")
    if facts.results:
        found = f"{facts.results} results of our jobs are kept: a worker with other settings runs here"
        yield Concern("arq-settings", found, "start workers by `pagefleet worker` only")


def _is_ours(body: bytes) -> bool:
    try:
        return bool(json.loads(body)["f"] == "advance")
    except (ValueError, TypeError, KeyError):
        return False


def _leaks(facts: Facts) -> Iterator[Concern]:
    if facts.leaked:
        found = f"{len(facts.leaked)} keys belong to no crawl ({facts.leaked[0]})"
        yield Concern("leaked-keys", found, "delete them if no restored backup misses them")


CHECKS: Sequence[Callable[[Facts], Iterator[Concern]]] = (
    *(_eviction, _persistence, _torn_writes, _version, _memory, _clock, _replication, _connections),
    *(_processes, _stuck, _queue, _leaks),
)


async def examine(redis: Redis, *, is_ours: bool = False) -> Facts:
    """Ask a Redis for the facts. What it refuses to tell is left out."""
    began = time.time()
    seconds, microseconds = await redis.time()
    now = int(seconds) * 1000 + int(microseconds) // 1000
    skew = now / 1000 - (began + time.time()) / 2
    crawls = [crawl.decode() for crawl in await redis.zrange(CRAWLS, 0, -1)]
    tags = [tag for crawl in crawls for tag in await _tags(redis, crawl)]
    keys = await _keys(redis)
    waiting = [job.decode() for job in await redis.zrange(QUEUE, 0, 999)]
    due = {tag.decode(): moment for tag, moment in await redis.zrange(DUE, 0, -1, withscores=True)}
    return Facts(
        info=await redis.info("everything"),
        config=await _config(redis),
        skew=skew,
        now=now,
        is_ours=is_ours,
        workers=sum(name.startswith("pagefleet:worker:") for name in keys),
        slices={tag: await _row(redis, tag) for tag in tags},
        due=due,
        jobs={job: await redis.get(f"arq:job:{job}") or b"" for job in waiting},
        leaked=sorted(name for name in keys if _is_leaked(name, set(crawls))),
        results=sum(name.startswith("arq:result:") and name.split(":")[2] in crawls for name in keys),
    )


async def _config(redis: Redis) -> Mapping[str, str]:
    try:
        return dict(await redis.config_get("*"))
    except RedisError:
        return {}


async def _tags(redis: Any, crawl: str) -> list[str]:
    """Of all slices of a crawl."""
    numbers = [number.decode() for number in await redis.hkeys(key.slices(crawl))]
    return [SliceKeys(crawl, number).tag for number in (WHOLE, *numbers)]


async def _row(redis: Redis, tag: str) -> Mapping[str, str]:
    client: Any = redis  # redis-py types this method for both of its clients at once
    row: Mapping[bytes, bytes] = await client.hgetall(SliceKeys.of(tag).slice)
    return {name.decode(): value.decode(errors="replace") for name, value in row.items()}


async def _keys(redis: Any) -> list[str]:
    found: list[str] = []
    for pattern in ("pagefleet:*", "arq:result:*"):
        async for name in redis.scan_iter(match=pattern, count=1000):
            found.append(name.decode(errors="replace"))
            if len(found) >= MOST_KEYS:
                return found
    return found


def _is_leaked(name: str, crawls: set[str]) -> bool:
    """Keys of a crawl have its id in braces."""
    kind, brace, rest = name.partition("{")
    if not brace or kind == "pagefleet:budget:":
        return False
    return rest.partition("}")[0].rpartition(":")[0] not in crawls and rest.partition("}")[0] not in crawls
