"""What `docs/dialects.md` shows are crawls, and the presets that it names are there."""

import re
import tomllib
from pathlib import Path

import pytest

from pagefleet.crawlfile import KINDS, parse
from pagefleet.presets import about, names

TEXT = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text(encoding="utf-8")
FILES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| \d.*\|$", TEXT, re.MULTILINE)
]
APIS = 69


@pytest.mark.parametrize("text", FILES, ids=lambda text: text.splitlines()[0][:50])
def test_a_crawl_file_of_at_most_ten_lines(text: str) -> None:
    crawl = parse(tomllib.loads(text))
    assert len(text.splitlines()) <= 10
    assert crawl.paginate.model_dump()["kind"] in KINDS


def test_each_kind_has_a_crawl_file() -> None:
    shown = {parse(tomllib.loads(text)).paginate.model_dump()["kind"] for text in FILES}
    assert shown == KINDS - {"none"}


def test_a_row_for_each_api() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, APIS + 1))
    assert all(all(row[1:7]) for row in ROWS)


def test_the_table_names_every_preset_and_its_kind() -> None:
    named: dict[str, str] = {}
    for row in ROWS:
        for preset in re.findall(r"`([\w-]+)`", row[7]):
            assert preset in names()
            named[preset] = row[6]
    assert sorted(named) == names()
    for preset, kinds in named.items():
        assert f"`{about(preset).style}`" in kinds, preset


def test_the_sections_name_apis_of_the_table() -> None:
    """Each API that a crawl file can describe is named by number in front of one."""
    prose = TEXT.split("## Links in a header")[1]
    numbers = set[int]()
    for group in re.findall(r"\((\d[\d, to]*)\)", prose):
        for part in group.split(", "):
            first, _, last = part.partition(" to ")
            numbers |= set(range(int(first), int(last or first) + 1))
    assert numbers == set(range(1, APIS + 1))
