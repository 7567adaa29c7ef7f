"""A crawl in slices between Redis and a real server: all of it once, whoever reads, pauses or counts."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients

from pagefleet.audit import audit
from pagefleet.cli.output import JsonLinesFile
from pagefleet.cli.writing import Writing
from pagefleet.crawl import Crawl
from pagefleet.doctor import diagnose, examine
from pagefleet.errors import CrawlFailed, Trimmed
from pagefleet.fleet import Fleet, Handle
from pagefleet.keys import QUEUE, SliceKeys
from pagefleet.page import Document
from pagefleet.results import split_id
from pagefleet.settings import Settings
from pagefleet.verdict import Finding
from tests.api import Api, api, description, document
from tests.redis.actors import while_running

COUNT = 230
RANGE = {"by": "range", "from": 0, "to": COUNT, "params": {"since": "{from}", "until": "{to}"}}
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "values": ({"by": "values", "param": "rest", "values": [0, 1, 2]}, {"each": 3}, {}),
    "values with many pages": ({"by": "values", "param": "rest", "values": [0, 1, 2], "pages": 3}, {"each": 3}, {}),
    "pages": ({"by": "pages", "pages": 4}, {}, {}),
    "pages by number": ({"by": "pages", "pages": 4}, {"style": "page"}, {"paginate": {"kind": "page"}}),
    "range": ({**RANGE, "most": 50}, {}, {}),
    "range below a cap": (RANGE, {"cap": 40}, {"cap": 40}),
}


@pytest.fixture(name="server")
def _server() -> Generator[Api]:
    with api() as served:
        yield served


def crawl(server: Api, slices: Mapping[str, Any], params: Mapping[str, Any] | None = None, **more: Any) -> Crawl:
    asked: dict[str, Any] = {"count": COUNT, "size": 10, **(params or {})}
    said = description(server.url, "x", **asked)
    return Crawl.model_validate({**said, "name": "sliced", "slices": slices, **more})


@asynccontextmanager
async def worker(url: str) -> AsyncGenerator[Station]:
    async with Fleet(url) as fleet, Clients(Settings()) as clients:
        yield Station("worker", fleet, clients, Settings())


async def next_job(station: Station) -> bool:
    """arq's part: the job whose turn it is; False when there is none."""
    redis: Any = station.fleet.redis
    found = await redis.zrange(QUEUE, 0, 0)
    if not found:
        return False
    tag, _, lease = found[0].decode().rpartition(":")
    await advance({"station": station}, tag, int(lease))
    await redis.zrem(QUEUE, found[0])
    return True


async def work(station: Station) -> int:
    """Until nothing is queued; answers how many jobs there were."""
    count = 0
    while await next_job(station):
        count += 1
    return count


def expected(count: int = COUNT) -> list[bytes]:
    return sorted(document("x", number) for number in range(count))


async def read(handle: Handle, consumer: str | None = None) -> list[bytes]:
    return [bytes(one) async for one in handle.documents(consumer)]


@pytest.mark.parametrize("way", WAYS)
async def test_all_of_a_crawl_in_slices(redis_url: str, server: Api, way: str) -> None:
    slices, params, more = WAYS[way]
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, slices, params, **more))
        await work(station)
        status = await handle.wait(5)
        assert (status.documents, str(status.verdict)) == (COUNT, "complete")
        assert status.slices == status.slices_over == len(await handle.slices()) >= 3
        assert status.total == COUNT
        documents = [one async for one in handle.documents()]
        assert sorted(documents) == expected()
        assert len({one.id for one in documents}) == COUNT
        found = await audit(station.fleet, handle.id)
        assert (found.findings, found.documents, found.is_whole) == ((), COUNT, True)
        words = {concern.word for concern in diagnose(await examine(station.fleet.redis))}
        assert not words & {"stuck", "leaked-keys", "no-scheduler"}


async def test_one_that_is_small_enough_is_not_split(redis_url: str, server: Api) -> None:
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": COUNT + 1}))
        assert await work(station) == 1
        status = await handle.wait(5)
        assert (status.slices, str(status.verdict)) == (1, "complete")
        assert await read(handle) == [document("x", number) for number in range(COUNT)]
        assert (await audit(station.fleet, handle.id)).is_whole


async def test_a_range_that_cannot_be_split_any_further_is_truncated_and_says_so(redis_url: str, server: Api) -> None:
    """The API counts no further than it lists: without the word nobody would know."""
    slices = {"by": "range", "from": 0, "to": 2, "params": {"x": "{from}-{to}"}, "most": 20}
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, slices, {"cap": 20}))
        await work(station)
        verdict = (await handle.wait(5)).verdict
        assert verdict is not None
        assert verdict.finding is Finding.TRUNCATED
        assert verdict.reasons[0][0] == "at-cap"
        assert "slice 0.0 (0 to 1)" in verdict.reasons[0][1]


@pytest.mark.parametrize(
    ("said", "word"),
    [({"params": {"x": "{from}", "until": "{to}"}}, "above-total"), ({"inclusive": True}, "below-total")],
)
async def test_parts_that_are_not_the_whole_are_found_out(
    redis_url: str, server: Api, said: Mapping[str, Any], word: str
) -> None:
    """The API takes the parameters otherwise: its parts overlap, or leave something out."""
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 100, **said}))
        await work(station)
        verdict = (await handle.wait(5)).verdict
        assert verdict is not None
        assert word in dict(verdict.reasons), verdict
        assert not (await audit(station.fleet, handle.id)).is_whole


async def test_a_parameter_that_the_source_does_not_heed_is_found_out(redis_url: str, server: Api) -> None:
    """Each value brings everything, and declares it."""
    values = {"by": "values", "param": "nothing", "values": ["a", "b"]}
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, values))
        await work(station)
        verdict = (await handle.wait(5)).verdict
        assert verdict is not None
        assert [word for word, _ in verdict.reasons] == ["overlap"]
        assert "a page of it is one of slice 0.0 (nothing=a), too" in verdict.reasons[0][1]
        found = await audit(station.fleet, handle.id)
        assert {word for word, _ in found.findings} == {"overlap", "duplicate"}


async def test_without_a_total_nothing_can_be_split(redis_url: str, server: Api) -> None:
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 50}, {"total": "0"}))
        await work(station)
        with pytest.raises(CrawlFailed, match="does not say how many documents"):
            await handle.wait(5)


async def test_pause_resume_and_cancel_are_for_all_slices(redis_url: str, server: Api) -> None:
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 50}))
        await next_job(station)
        await next_job(station)
        assert await handle.pause() == "paused"
        assert await work(station) == 0
        assert (await handle.status()).state == "paused"
        assert await handle.resume() == "queued"
        await next_job(station)
        assert await handle.cancel() == "cancelled"
        status = await handle.status()
        assert status.is_over
        assert status.slices_over == status.slices > 2
        assert await work(station) == 0


async def test_one_slice_fails_and_the_others_go_on(redis_url: str, server: Api) -> None:
    """Its documents are read all the same, and it goes on from its checkpoint."""
    slices = {"by": "values", "param": "fault", "values": ["", "404", "html"]}
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, slices, limits={"attempts": 1}))
        await work(station)
        status = await handle.status()
        assert (status.state, status.is_over, status.slices_over) == ("failed", True, 3)
        assert status.error.startswith("slice 0.1: ")
        assert status.error.endswith("(and 1 more)")
        read_: list[bytes] = []

        async def read_on() -> None:
            async with aclosing(handle.batches()) as batches:
                async for batch in batches:
                    read_.extend(batch)

        with pytest.raises(CrawlFailed):
            await read_on()
        assert sorted(read_) == expected()


async def test_what_slices_could_not_have_is_tried_again_by_one_word(redis_url: str, server: Api) -> None:
    """Only where something is in quarantine; it arrives behind the others, and a reader gets it."""
    async with worker(redis_url) as station:
        by = {"kind": "offset", "limit_param": "limit", "limit": 10}
        values = {"by": "values", "param": "y", "values": ["a", "b"]}
        handle = await station.fleet.enqueue(crawl(server, values, paginate=by))
        await work(station)
        redis: Any = station.fleet.redis
        keys = SliceKeys(handle.id, "0.1")
        await redis.xadd(keys.quarantine, {"cursor": '{"$narrow":[7,1,10]}', "reason": "why"}, id="2-0")
        assert [lost.reason for lost in await handle.quarantine()] == ["why"]
        assert (await handle.status()).quarantined == 1
        assert await handle.replay() == "queued"
        assert (await handle.status()).slices_over == 1
        await work(station)
        assert (await handle.wait(5)).documents == 2 * COUNT + 1
        assert len(await read(handle)) == 2 * COUNT + 1
        assert await handle.replay() == "finished"


# Readers


async def test_a_reader_that_follows_gets_all_while_it_goes_on(redis_url: str, server: Api) -> None:
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 30}))
        async with while_running(read(handle)) as reading:
            await work(station)
            assert sorted(await asyncio.wait_for(reading, 10)) == expected()
        assert await handle.consumers() == {}


async def test_a_named_consumer_goes_on_in_each_slice(redis_url: str, server: Api) -> None:
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 50}))
        await handle.register("reader")
        await work(station)
        first: list[bytes] = []
        async with aclosing(handle.batches([])) as batches:
            async for batch in batches:
                first += batch
                await handle.acknowledge("reader", batch[-1].id)
                if len(first) > 60:
                    break
        rest = await read(handle, "reader")
        assert sorted([*first, *rest]) == expected()
        assert len(await handle.positions("reader")) > 4
        assert "and in" in (await handle.consumers())["reader"]
        await handle.forget("reader")
        assert await handle.consumers() == {}


async def test_nothing_is_dropped_that_a_registered_consumer_has_not_read(redis_url: str, server: Api) -> None:
    """It was there before the crawl was split; another one reads and makes room."""
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(
            crawl(server, {"by": "values", "param": "y", "values": ["a", "b"]}, limits={"backlog": 20})
        )
        await handle.register("slow")
        await work(station)
        assert (await handle.status()).documents == 2 * COUNT
        redis: Any = station.fleet.redis
        for number in ("0.0", "0.1"):
            await redis.hset(SliceKeys(handle.id, number).slice, "backlog", 20)
        assert len(await read(handle, "fast")) == 2 * COUNT
        assert len(await read(handle, "slow")) == 2 * COUNT


async def test_a_reader_behind_what_was_dropped_is_told_in_which_slice(redis_url: str, server: Api) -> None:
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {"by": "values", "param": "y", "values": ["a", "b"]}))
        await next_job(station)
        redis: Any = station.fleet.redis
        keys = SliceKeys(handle.id, "0.1")
        await redis.hset(keys.slice, "backlog", 20)
        await handle.acknowledge("fast", "0.1:99-0")
        await work(station)
        status = await handle.status()
        assert status.trimmed.startswith("0.1:")
        with pytest.raises(Trimmed, match=r"reading sliced in slice 0\.1 behind 0-0"):
            await read(handle)
        async with aclosing(handle.batches(status.trimmed.split(), is_following=False)) as batches:
            there = [split_id(one.id)[0] async for batch in batches for one in batch]
        assert there.count("0.0") == COUNT


async def test_slices_have_their_turns_with_a_reader(redis_url: str, server: Api) -> None:
    """None is left until another one is read to its end."""
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(
            crawl(server, {"by": "values", "param": "y", "values": ["a", "b", "c"]}, {"count": 1000})
        )
        await work(station)
        async with aclosing(handle.batches()) as batches:
            seen = [split_id(batch[0].id)[0] async for batch in batches]
        assert seen[:6] == ["0.0", "0.1", "0.2"] * 2


# A file


async def written(handle: Handle, path: Path, batches: int | None = None) -> None:
    """As `pagefleet crawl -o` writes it; it dies behind so many batches."""
    async with Writing(handle, Dying(path, batches)) as writing:
        await writing.begin()
        with suppress(Died):
            await writing.copy()


class Died(Exception):
    """What is written by then stays, and nothing else."""


class Dying(JsonLinesFile):
    """A file whose writer dies when it has written so many batches, and before it could acknowledge the last."""

    def __init__(self, path: Path, batches: int | None) -> None:
        super().__init__(path)
        self._left = batches

    async def write(self, documents: Sequence[Document]) -> str:
        note = await super().write(documents)
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Died
        return note


async def test_a_file_of_a_crawl_in_slices_holds_each_document_once(
    redis_url: str, server: Api, tmp_path: Path
) -> None:
    """Whenever its writer dies: the last batch is on the disk, and is not acknowledged."""
    path = tmp_path / "x.jsonl"
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 50}))
        async with while_running(written(handle, path, 1)) as dying:
            await work(station)
            await dying
        for batches in (0, 1, 0, 2, 3):
            await written(handle, path, batches)
        await written(handle, path)
        assert sorted(path.read_bytes().splitlines()) == expected()


async def test_a_file_is_written_anew_when_redis_has_forgotten_what_is_in_it(
    redis_url: str, server: Api, tmp_path: Path
) -> None:
    """Of one slice it forgot that; of another, which was written later, it has the length of the file behind both."""
    path = tmp_path / "x.jsonl"
    async with worker(redis_url) as station:
        handle = await station.fleet.enqueue(crawl(server, {**RANGE, "most": 50}))
        await work(station)
        await written(handle, path, 3)
        positions = await handle.positions(f"file:{path}")
        moved = sorted((note for _, note in positions.values()), key=lambda note: int(note.split()[0]))
        (number,) = [number for number, (_, note) in positions.items() if note == moved[-2]]
        redis: Any = station.fleet.redis
        await redis.hset(SliceKeys(handle.id, number).consumers, f"file:{path}", "0-0 0")
        await written(handle, path)
        assert sorted(path.read_bytes().splitlines()) == expected()
