"""Each invariant of docs/invariants.md has tests that carry its mark, or a reason why it has none."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")
IDS = {f"{letter}-{n}" for letter, count in {"C": 19, "L": 9, "S": 15, "O": 7}.items() for n in range(1, count + 1)}
ROW = re.compile(r"^\| ([A-Z]-\d+) \| (.+?) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")
REASON = re.compile(r"\*(does not apply|not held)\*\S* .{10,}")
Marks = Mapping[str, set[str]]
"""Test, as `tests/a.py::name` -> the ids that it is marked with; a test without a mark has none."""


def marks() -> Marks:
    """Of all test functions; read and not imported."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return {
        f"{file.relative_to(ROOT).as_posix()}::{node.name}": set(marked(node))
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def marked(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.invariant":
            yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


def faults(page: str, marks: Marks) -> list[str]:
    """What does not fit together."""
    rows = {row[1]: row[3] for row in ROW.finditer(page)}
    found = [f"{missing} has no row" for missing in sorted(IDS - rows.keys())]
    found += [f"{unknown} is no invariant" for unknown in sorted(rows.keys() - IDS)]
    found += [f"{test} is marked with {one}, which is no invariant" for test in marks for one in marks[test] - IDS]
    for invariant, last in rows.items():
        tests, reason = TEST.findall(last), REASON.search(last)
        if not tests and not reason:
            found.append(f"{invariant} has neither a test nor a reason")
        if tests and "*does not apply*" in last:
            found.append(f"{invariant} does not apply, and has tests")
        found += [f"{invariant} names {test}, which is not there" for test in tests if test not in marks]
        found += [
            f"{test} does not carry {invariant}" for test in tests if invariant not in marks.get(test, {invariant})
        ]
    return found


def test_the_page_and_the_marks_fit_together() -> None:
    assert faults(PAGE, marks()) == []
    assert len(ROW.findall(PAGE)) == len(IDS) == 50


C_1 = next(row[0] for row in ROW.finditer(PAGE) if row[1] == "C-1")
S_12 = next(row[0] for row in ROW.finditer(PAGE) if row[1] == "S-12")
A_TEST = next(iter(TEST.findall(C_1)))


@pytest.mark.parametrize(
    ("page", "more", "fault"),
    [
        (PAGE.replace(C_1, ""), {}, "C-1 has no row"),
        (PAGE.replace("| C-1 |", "| C-77 |"), {}, "C-77 is no invariant"),
        (PAGE.replace(C_1, "| C-1 | what | |"), {}, "C-1 has neither a test nor a reason"),
        (PAGE.replace(C_1, "| C-1 | what | *not held*: |"), {}, "C-1 has neither a test nor a reason"),
        (PAGE.replace(A_TEST, "tests/a.py::test_b"), {}, "C-1 names tests/a.py::test_b, which is not there"),
        (PAGE, {A_TEST: {"C-2"}}, f"{A_TEST} does not carry C-1"),
        (PAGE, {"tests/a.py::test_b": {"X-1"}}, "tests/a.py::test_b is marked with X-1, which is no invariant"),
        (PAGE.replace(S_12, f"{S_12[:-1]} `{A_TEST}` |"), {}, "S-12 does not apply, and has tests"),
    ],
)
def test_what_does_not_fit_is_found(page: str, more: Mapping[str, set[str]], fault: str) -> None:
    assert fault in faults(page, {**marks(), **more})
