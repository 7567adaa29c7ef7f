"""What the README and `examples/` show can be used as it stands."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pagefleet import ByRange, load
from pagefleet.crawlfile import parse

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.toml")), ids=lambda file: file.stem)
def test_an_example_is_a_crawl_of_at_most_ten_lines(file: Path) -> None:
    load(file)
    assert len([line for line in file.read_text().splitlines() if not line.startswith("#")]) <= 10


def test_the_readme_holds_a_crawl_file() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert parse(tomllib.loads(text)).rate == "10/s"


def test_the_readme_holds_a_crawl_in_slices() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (text,) = [block for block in blocks if "slices=" in block]
    said: dict[str, Any] = {}
    exec(text, said)  # noqa: S102 — it is ours
    assert isinstance(said["crawl"].slices, ByRange)


def test_a_source_that_is_run_as_a_script_has_an_import_path(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    text = (ROOT / "examples" / "stories.py").read_text()
    script.write_text(text.partition("if __name__")[0] + 'print(stories(tag="x").function)')
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "mine:stories"
