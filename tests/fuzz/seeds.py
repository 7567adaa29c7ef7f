"""Where fuzzing begins: the literals of the tests, for they are what somebody has thought of."""

import ast
import hashlib
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "tests" / "unit"
TESTS = {
    "json": ["decode", "fuzz", "bounds"],
    "formats": ["formats", "encodings", "fuzz"],
    "jsonpath": ["decode", "formats"],
    "inflate": ["http"],
    "link": ["paginators", "fuzz"],
    "waits": ["fetch"],
    "walks": ["paginators", "walk"],
    "crawlfile": ["crawl", "presets"],
}
TAIL = 8
"""Bytes behind a literal, which the choices are drawn from."""
LONGEST = 3000


def plant(target: str, folder: Path) -> None:
    """Write a target's seeds, each as a file by the name of its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(target)
    for literal in sorted(set(_literals(target))):
        for _ in range(3):
            _write(folder, literal + chance.randbytes(TAIL))
        if target == "inflate":
            _write(folder, zlib.compress(literal, wbits=31) + b"\0" * TAIL)
    if target == "walks":
        for _ in range(300):
            _write(folder, chance.randbytes(chance.randrange(50, 800)))


def _write(folder: Path, seed: bytes) -> None:
    (folder / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)


def _literals(target: str) -> Iterator[bytes]:
    for name in TESTS[target]:
        for node in ast.walk(ast.parse((UNIT / f"test_{name}.py").read_text(encoding="utf-8"))):
            found = node.value if isinstance(node, ast.Constant) else None
            if isinstance(found, str | bytes) and len(found) <= LONGEST:
                yield found if isinstance(found, bytes) else found.encode(errors="surrogatepass")
    if target == "crawlfile":
        for file in [*(ROOT / "examples").glob("*.toml"), *(ROOT / "pagefleet" / "presets").glob("*.toml")]:
            yield file.read_bytes()
