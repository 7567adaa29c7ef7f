"""A low-code source of Airbyte (`airbyte.yaml`), whose messages go from standard output to a file.

As in https://airbytehq.github.io/airbyte-python-cdk/airbyte_cdk/cli/source_declarative_manifest.html.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airbyte_cdk.cli.source_declarative_manifest import run

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.measure import lines, report, stdout, warm

RECORD = b'{"type":"RECORD"'
"""How a line with a document begins."""
MANIFEST = Path(__file__).with_name("airbyte.yaml")
CATALOG = {
    "streams": [
        {
            "stream": {"name": "documents", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append",
        }
    ]
}


def crawl(url: str, place: Path) -> None:
    """Into a file."""
    place.mkdir()
    parts = urlsplit(url)
    config = {"origin": f"{parts.scheme}://{parts.netloc}", "path": parts.path}
    written: dict[str, Any] = {"config": config, "catalog": CATALOG}
    for name, content in written.items():
        (place / name).write_text(json.dumps(content))
    words = ["--config", place / "config", "--catalog", place / "catalog", "--manifest-path", MANIFEST]
    sys.argv[1:] = ["read", *map(str, words)]
    with stdout(place / "messages.jsonl"):
        run()


def main() -> None:
    url, _ = arguments()
    with tempfile.TemporaryDirectory() as folder:
        crawl(warm(url), Path(folder) / "warm")
        meter, place = Meter(), Path(folder) / "whole"
        crawl(url, place)
        took = meter.stop(0)
        report(took, lines([place / "messages.jsonl"], RECORD))


if __name__ == "__main__":
    main()
