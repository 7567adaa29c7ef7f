"""Nothing is unpickled: not what somebody else wrote where arq looks, and not by any process of a fleet."""

import asyncio
import os
import pickle  # noqa: TID251 — to see that nobody uses it
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from pagefleet import Crawl, Fleet
from pagefleet.keys import DUE, QUEUE
from tests.api import api, description
from tests.machine import assert_whole, machine, wait_until

HOOK = """
import pathlib, pickle

def loads(*_, **__):
    pathlib.Path("unpickled").touch()
    raise RuntimeError("unpickled")

class Unpickler:
    def __init__(self, *_, **__):
        loads()

pickle.loads = pickle.load = loads
pickle.Unpickler = Unpickler
"""
"""Python looks for `sitecustomize` at the start of each process."""


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("unpickled"),)


BOMB = pickle.dumps(Bomb())
JOB = pickle.dumps({"t": 1, "f": "advance", "a": ("bomb:0", 1), "k": {"x": Bomb()}, "et": 1})
"""As arq writes one that keeps its defaults."""


@pytest.mark.invariant("S-7")
async def test_no_process_unpickles_anything(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    with api() as server, machine(tmp_path, PYTHONPATH=path(tmp_path)) as here:
        await here.answers()
        async with Redis.from_url(here.url) as redis:
            for job in ("bomb:0:1", "bomb"):
                await redis.set(f"arq:job:{job}", JOB)
                await redis.zadd(QUEUE, {job: 1})
                for kind in ("result", "retry", "in-progress"):
                    await redis.set(f"arq:{kind}:other{job}", BOMB)
            await redis.zadd(DUE, {"bomb:0": 1})
            await redis.set("pagefleet:worker:bomb", BOMB)
            examine = (
                "import sys; from pagefleet.cli import main; sys.argv[1:] = ['doctor', '--redis', sys.argv[1]]; main()"
            )
            assert "foreign-jobs" in await python(tmp_path, examine, here.url)
            here.start_scheduler()
            here.start_worker()
            async with Fleet(here.url) as fleet:
                said = description(server.url, "safe", count=50)
                handle = await fleet.enqueue(Crawl.model_validate({**said, "name": "safe"}))
                await handle.wait(60)
                await assert_whole(handle, "safe", 50)

            async def is_seen() -> bool:
                return not await redis.exists(QUEUE)

            await wait_until(is_seen)
        assert not (tmp_path / "unpickled").exists(), here.log()
        await python(tmp_path, f"import pickle; pickle.loads({BOMB!r})")
        assert (tmp_path / "unpickled").exists()  # it would be seen


def path(place: Path) -> str:
    """Where Python looks: there first."""
    return os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])


async def python(place: Path, *words: str) -> str:
    """What a process says that has the hook."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", *words),
        cwd=place,
        env={**os.environ, "PYTHONPATH": path(place)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()
