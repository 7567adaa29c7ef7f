"""What Redis runs is what stands in the `.lua` files, whatever crawls, sources and people say."""

import ast
import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

import pagefleet
from pagefleet import scripts
from pagefleet.keys import SliceKeys
from pagefleet.page import Quarantined, encode
from pagefleet.scripts import Split, source
from tests.redis.actors import case

ROOT = Path(__file__).parents[2]
NAMES = sorted(file.stem for file in Path(scripts.__file__).parent.glob("*.lua") if file.stem != "prelude")
RUNNING = {"register_script", "script_load", "function_load", "eval", "evalsha", "fcall"}
EVIL = "]]'\"\\\n) redis.call('SET', 'owned', 1) --[["
ORIGIN = EVIL.replace("\n", "")


@pytest.mark.invariant("S-14")
async def test_nothing_that_is_said_is_run(redis_url: str) -> None:
    """Hostile text in every argument; all of it is kept as it is, and Redis has got to know no other script."""
    async with case(redis_url, 2, 2, 1) as c:
        await c.call("SCRIPT", "FLUSH")
        run, keys, text = c.scripts, c.keys, EVIL.encode()
        assert await run.enqueue(keys, EVIL, EVIL, 0) == "new"
        await run.acknowledge(keys, EVIL, "0-0", EVIL)
        hand = await c.lease(EVIL)
        part = replace(hand.part(), arguments=[text] * 4, fields=2, digest=EVIL, notice=EVIL, doubt="moved")
        part = replace(part, after=replace(part.after, cursor=EVIL), quarantined=Quarantined(EVIL, EVIL))
        assert (await run.commit(keys, part, hand.fence, 6.0, EVIL)).answer == "committed"
        assert await run.renew(keys, hand.fence, 6.0, EVIL) == "running"
        assert await run.release(keys, hand.fence, "failed", reason=EVIL) == "released"
        assert (await c.row())["error"] == EVIL
        await run.steer(keys, "resume")
        await run.rescue(keys)
        await run.token(ORIGIN, 0.1, 1, 0.25)
        await run.retry(ORIGIN, EVIL)
        await run.block(ORIGIN, 0.1)
        row = await c.row()
        assert (row["cursor"], row["notice"], row["digest"]) == (encode(EVIL), EVIL, EVIL)
        assert await c.documents() == [("1-0", text), ("1-1", text)]
        hand = await c.lease("another")
        assert await run.split(keys, Split(EVIL, hand.checkpoint, [EVIL]), hand.fence, EVIL) == ("committed", [EVIL])
        assert await run.delete(SliceKeys("crawl", "0.0"), EVIL) == "other"
        digests = [hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest() for name in NAMES]
        assert await c.call("SCRIPT", "EXISTS", *digests) == [1] * len(NAMES)
        assert (await c.redis.info("memory"))["number_of_cached_scripts"] == len(NAMES)
        assert await c.call("EXISTS", "owned") == 0


@pytest.mark.invariant("S-14")
def test_scripts_are_registered_at_one_place_by_their_names() -> None:
    """Nothing else sends Redis a text to run."""
    found: list[tuple[str, str]] = []
    folders = (Path(pagefleet.__file__).parent, ROOT / "worker", ROOT / "scheduler")
    for file in (file for folder in folders for file in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            word = node.attr if isinstance(node, ast.Attribute) else str(getattr(node, "value", ""))
            if word.lower() in RUNNING:
                found.append((file.relative_to(ROOT).as_posix(), word))
    assert found == [("pagefleet/scripts/__init__.py", "script_load")]
