"""One storm: a fleet at work, faults for a while, then none, and the judge.

outcome = await weather_the_storm(place, Options("a seed"))       `python -m tests.chaos` runs many
"""

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import RedisError

from pagefleet import Fleet
from pagefleet.tasks import ended
from tests import api
from tests.chaos.crew import Crew
from tests.chaos.judge import Judge
from tests.chaos.nursery import nursing
from tests.chaos.schedule import PAIR, PROCESSES, SINGLE, Blow, schedule
from tests.chaos.servers import Pair, Servers, Single
from tests.chaos.weather import Weather
from tests.chaos.work import Reading, Work
from tests.machine import assert_nothing_left

SHORT = {"PAGEFLEET_LEASE": "1.2", "PAGEFLEET_RENEW": "0.4", "PAGEFLEET_SWEEP": "0.2", "PAGEFLEET_TURN": "2"}
HEAL = 180.0
"""Seconds within which everything must be finished when the faults have ended."""
LEFT = re.compile(r"left: (\w+)")
REFUSED = re.compile(r"^pagefleet (?:worker|scheduler): connecting to Redis", re.MULTILINE)
TWICE = re.compile(r"Traceback [^\n]*\n(?:  [^\n]*\n)*KeyError: '[^\n:]*:\d+:\d+'\n")
"""Redis forgot a job that this worker is at, and handed it out again. arq's own list of jobs has room for one of a
name, and the one that ends last misses itself there; arq says that it failed. The lease knows better."""


@dataclass(frozen=True)
class Options:
    """`setup` is 'single' or 'pair'; `program` another Redis than the one on PATH."""

    seed: str
    setup: str = "single"
    seconds: float = 20.0
    workers: int = 5
    crawls: int = 10
    program: Path | None = None
    blows: tuple[float, float] = (0.3, 1.0)
    """Pause between two blows at processes, from and to; Redis has one between each two of its own."""
    gales: tuple[float, float] = (1.0, 2.5)


@dataclass
class Outcome:
    """What happened, and what is wrong."""

    tally: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])


async def weather_the_storm(place: Path, options: Options) -> Outcome:
    """Faults, then none; then the verdict."""
    outcome = Outcome()
    tally = outcome.tally
    servers = _servers(place, options, tally)
    with serving() as url, nursing(place / "log", SHORT) as nursery:
        async with servers, Fleet(servers.proxies[1].url, patience=float("inf")) as fleet:
            crew = Crew(nursery, servers, tally, options.workers)
            work = Work(fleet, url, f"{options.seed} work", tally)
            working = [asyncio.create_task(work.go_on()) for _ in range(options.crawls)]
            tending = asyncio.create_task(crew.tend())
            try:
                await under_way(work, options.crawls)
                await rage(crew, servers, options, tally)
                work.enough()
                await finished(working, work.all, tally)
            finally:
                for task in (tending, *working):  # also when it is stopped: they must not outlive what they work with
                    await ended(task)
            await _judge(outcome, servers, work.all)
    _weigh_processes(outcome, place / "log")
    return outcome


def _servers(place: Path, options: Options, tally: Counter[str]) -> Servers:
    place.mkdir(exist_ok=True, parents=True)
    setup = Pair if options.setup == "pair" else Single
    return setup(place, tally, options.program)


async def under_way(work: Work, crawls: int) -> None:
    """Waits until every crawl has documents that somebody has read: a storm over an idle fleet shows nothing."""
    async with asyncio.timeout(HEAL):
        while sum(bool(one.read) for one in work.all) < crawls:
            assert not any(one.failure for one in work.all), [one.failure for one in work.all]
            await asyncio.sleep(0.05)


async def rage(crew: Crew, servers: Servers, options: Options, tally: Counter[str]) -> None:
    """The phase of faults."""
    weathers = [Weather(f"{options.seed} weather {n}", tally) for n in range(len(servers.proxies))]
    for proxy, weather in zip(servers.proxies, weathers, strict=True):
        proxy.weather = weather
    odds = PAIR if isinstance(servers, Pair) else SINGLE
    at_redis = schedule(f"{options.seed} redis", options.seconds, odds, options.gales)
    at_processes = schedule(f"{options.seed} processes", options.seconds, PROCESSES, options.blows)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(strikes(at_processes, options.seconds, crew.strike))
        tasks.create_task(strikes(at_redis, options.seconds, lambda blow: strike(servers, crew, blow)))
    await crew.thawed()
    for weather in weathers:
        weather.clear()


async def strikes(blows: Sequence[Blow], seconds: float, how: Callable[[Blow], Awaitable[None]]) -> None:
    """Each at its time, or as soon as the one before it is over; none behind the end of the phase."""
    started = time.monotonic()
    for blow in blows:
        await asyncio.sleep(max(0.0, started + blow.at - time.monotonic()))
        if time.monotonic() < started + seconds:
            await how(blow)


async def strike(servers: Servers, crew: Crew, blow: Blow) -> None:
    """One blow at Redis."""
    match blow.what, servers:
        case "SIGKILL", _:
            await servers.kill()
        case "freeze", _:
            await servers.freeze(blow.seconds)
        case (("power loss" | "blackout"), Single()):
            is_everywhere = blow.what == "blackout"
            await servers.lose_power(blow.where, blow.seconds / 2, crew.black_out if is_everywhere else None)
        case (("failover" | "split brain"), Pair()):
            await servers.fail_over(blow.seconds / 2, is_split=blow.what == "split brain")
        case _:
            await servers.command(*blow.what.split())


async def finished(working: Sequence[asyncio.Task[None]], all_: Sequence[Reading], tally: Counter[str]) -> None:
    """The phase of healing: everything is read to its end, and has ended, or the judge says what has not."""
    started = time.monotonic()
    _, late = await asyncio.wait(working, timeout=HEAL)
    for task in late:
        await ended(task)
    for task in set(working) - late:
        task.result()
    while time.monotonic() < started + HEAL:  # Redis may have forgotten the end of what was read to its end
        left = [one for one in all_ if not (await one.handle.status()).state.is_over]
        if not left:
            break
        for one in left:
            await one.say_again()
        await asyncio.sleep(0.2)
    tally["seconds of healing"] += round(time.monotonic() - started)


async def _judge(outcome: Outcome, servers: Servers, all_: Sequence[Reading]) -> None:
    """What is there after one more start of Redis."""
    await servers.kill()
    judge = Judge(outcome.tally)
    async with Fleet(servers.url) as fleet:
        for one in all_:
            one.handle = fleet.crawl(one.given.name)
            await judge.look(one, fleet.redis)
    outcome.faults += judge.faults
    if not outcome.faults:
        await nothing_left(servers.url, outcome)


async def nothing_left(url: str, outcome: Outcome) -> None:
    """Workers may still have to look at jobs that mean nothing any more."""
    until = time.monotonic() + 15
    while True:
        try:
            return await assert_nothing_left(url)
        except (AssertionError, RedisError) as error:
            if time.monotonic() > until:
                outcome.faults.append(f"left behind: {error!r:.500}")
                return None
        await asyncio.sleep(0.1)


def _weigh_processes(outcome: Outcome, log: Path) -> None:
    """Nobody fell over without a word, and nobody met what they do not know."""
    said = log.read_text(errors="replace")
    outcome.tally.update(f"left: {reason}" for reason in LEFT.findall(said))
    outcome.tally["rescues"] += said.count(" rescued")
    if outcome.tally["ended by themselves"] > len(REFUSED.findall(said)):
        outcome.faults.append(f"{outcome.tally['ended by themselves']} processes ended by themselves; see {log}")
    said, count = TWICE.subn("", said)
    outcome.tally["jobs that one worker had twice"] += count
    if "Traceback" in said:
        outcome.faults.append(f"a traceback: {said[said.index('Traceback') :][:3000]}")


@contextmanager
def serving() -> Generator[str]:
    """The paginated API, in a process of its own: its URL."""
    server = subprocess.Popen([sys.executable, api.__file__], stdout=subprocess.PIPE)
    try:
        assert server.stdout
        yield server.stdout.readline().decode().strip()
    finally:
        server.kill()
        server.communicate()
