"""`pagefleet presets`: a list of what is known, and of each a crawl file that is one."""

import tomllib

import pytest

from pagefleet.cli.presets import crawl_file
from pagefleet.crawlfile import parse
from pagefleet.presets import about, names
from tests.cli.shell import Shell


def test_the_list(shell: Shell) -> None:
    command = shell.run("presets")
    header, *lines = command.stdout.decode().splitlines()
    assert header.split() == ["name", "title", "style"]
    assert [line.split()[0] for line in lines] == names()
    for line, name in zip(lines, names(), strict=True):
        assert about(name).title in line
        assert line.endswith(about(name).style)


def test_one_of_them_is_a_crawl_file(shell: Shell) -> None:
    command = shell.run("presets", "crossref")
    assert command.ends() == 0
    text = command.stdout.decode()
    assert parse(tomllib.loads(text)).params == {**tomllib.loads(text)["params"], "rows": 1000}
    told = about("crossref")
    unwrapped = text.replace("\n#   ", " ")
    for sentence in (told.title, told.docs, told.limits, told.courtesy, *told.needs, *told.pitfalls):
        assert sentence in unwrapped


@pytest.mark.parametrize("name", names())
def test_each_file_can_be_used_and_read(name: str) -> None:
    text = crawl_file(name)
    assert tomllib.loads(text)["preset"] == name
    parse(tomllib.loads(text), name)
    assert all(len(line) <= 100 for line in text.splitlines() if line.startswith("#") and " http" not in line)


def test_one_that_is_not_there(shell: Shell) -> None:
    command = shell.run("presets", "crosref")
    assert command.ends() == 2
    assert command.error == "pagefleet: looking up presets: there is no preset 'crosref'; did you mean crossref?"
