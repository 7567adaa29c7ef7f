"""`python -m tests.model --pages 3 --faults 3`: look further than the tests do."""

import argparse
import sys
import time

from tests.model.search import search
from tests.model.world import World


def main() -> int:
    """0 if the promise is kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--faults", type=int, default=3)
    parser.add_argument("--most", type=int, nargs=6, default=(1,) * 6, help="lost late crash steal back drift")
    parser.add_argument("--no-yields", action="store_true")
    parser.add_argument("--whole", action="store_true", help="Redis goes back only to between two scripts")
    options = parser.parse_args()
    world = World(
        pages=options.pages,
        workers=options.workers,
        faults=options.faults,
        most=tuple(options.most),
        yields=not options.no_yields,
        is_torn=not options.whole,
    )
    began = time.monotonic()
    found = search(world)
    print(f"{world}\n{found.states:,} states in {time.monotonic() - began:.0f} s: {found.wrong or 'safe, and it ends'}")
    for what in found.way:
        print(f"    {what}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
