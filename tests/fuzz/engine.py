"""`python -m tests.fuzz.engine TARGET INPUT` repeats a finding; all else is libFuzzer's, which has this process."""

import sys
from typing import Any

import atheris  # type: ignore[import-untyped]  # pyright: ignore[reportMissingModuleSource]  # elsewhere

engine: Any = atheris
with engine.instrument_imports(include=["pagefleet"]):
    from tests.fuzz.bodies import formats, json_, jsonpath
    from tests.fuzz.compressed import inflate
    from tests.fuzz.crawlfiles import crawlfile
    from tests.fuzz.draw import Draw
    from tests.fuzz.headers import link, waits
    from tests.fuzz.walks import walks

TARGETS = {
    "json": json_,
    "formats": formats,
    "jsonpath": jsonpath,
    "inflate": inflate,
    "link": link,
    "waits": waits,
    "walks": walks,
    "crawlfile": crawlfile,
}
LONGEST = 500
"""Characters of one thing that was drawn."""


def main() -> None:
    """The target's name, and libFuzzer's arguments."""
    target = TARGETS[sys.argv[1]]

    def once(data: bytes) -> None:
        draw = Draw(engine.FuzzedDataProvider(data))
        try:
            target(draw)
        except Exception:
            drawn = [repr(one)[:LONGEST] for one in draw.drawn]
            print(f"\nfinding of {sys.argv[1]}, which drew:", *drawn, sep="\n  ", file=sys.stderr)
            raise

    engine.Setup([sys.argv[0], *sys.argv[2:]], once)
    engine.Fuzz()


if __name__ == "__main__":
    main()
