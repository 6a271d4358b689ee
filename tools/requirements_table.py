"""Write docs/requirements.md: every requirement and fault, and the tests that prove it.

The sentences come from requirements.toml beside this file, the proofs from the `requirement` and `fault` marks in
tests/, which are read from the source, so that no test has to run or even import.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "requirements.md"
DATA = ROOT / "tools" / "requirements.toml"

FAULTS = "F"
MARKS = {"requirement", "fault"}


class WrongMarkError(Exception):
    """A mark that the table cannot show, and where it stands."""


@dataclass(frozen=True)
class Line:
    """One requirement or fault."""

    id: str
    sentence: str
    impossible: str | None = None
    lacks: str | None = None
    """What of it is not built yet, though tests prove the rest."""


@dataclass(frozen=True)
class Area:
    """The lines under one letter."""

    letter: str
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Proof:
    """One mark of one test."""

    id: str
    mark: str  # requirement or fault
    test: str  # tests/unit/test_x.py::test_y
    line: int


def areas(data: Path = DATA) -> list[Area]:
    """All areas in the order of the file."""
    read = tomllib.loads(data.read_text(encoding="utf-8"))
    impossible, lacks = read["cannot_hold"], read["partly"]
    return [
        Area(letter, title, tuple(Line(each, text, impossible.get(each), lacks.get(each)) for each, text in lines))
        for letter, title in read["areas"].items()
        for lines in [read[letter].items()]
    ]


def proofs(tests: Path) -> Iterator[Proof]:
    """Every mark under a folder of tests; WrongMarkError for one that is not written as a literal on a test."""
    for path in sorted(tests.rglob("*.py")):
        yield from _proofs_of(path, path.relative_to(tests.parent).as_posix())


def wrong(found: Iterable[Proof], known: Iterable[Area]) -> list[str]:
    """Marks whose id is not in the data, or belongs to the other mark; one message each."""
    ids = {line.id for area in known for line in area.lines}
    messages = []
    for proof in found:
        right = "fault" if proof.id.startswith(FAULTS) else "requirement"
        if proof.id not in ids:
            messages.append(f"{proof.test} (line {proof.line}): there is no {proof.id}")
        elif proof.mark != right:
            messages.append(f"{proof.test} (line {proof.line}): {proof.id} is a {right}, not a {proof.mark}")
    return messages


def page(known: Iterable[Area], found: Iterable[Proof]) -> str:
    """The text of docs/requirements.md."""
    tests: dict[str, set[str]] = {}
    for proof in found:
        tests.setdefault(proof.id, set()).add(proof.test)
    known = list(known)
    parts = [_HEAD.format(tally=_tally(known, tests))]
    for area in known:
        rows = "".join(_row(line, sorted(tests.get(line.id, ()))) for line in area.lines)
        parts.append(f"## {area.letter}. {area.title}\n\n| id | capability | proven by |\n|---|---|---|\n{rows}")
    return "\n".join(parts)


def main() -> int:
    """Write the page; say which marks are wrong and write nothing when any is."""
    known = areas()
    found: list[Proof] = []
    try:
        found.extend(proofs(ROOT / "tests"))
        messages = wrong(found, known)
    except WrongMarkError as error:
        messages = [str(error)]
    if messages:
        print("\n".join(messages), file=sys.stderr)
        return 1
    text = page(known, found)
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


_HEAD = """\
# Requirements

Made by `make docs` from `tools/requirements.toml` and the marks of the tests; not to be edited.

{tally}
"""


def _tally(known: Iterable[Area], tests: Mapping[str, set[str]]) -> str:
    lines = [line for area in known for line in area.lines]
    impossible = sum(1 for line in lines if line.impossible)
    told = f" {impossible} cannot hold as written; the reason stands in the table." if impossible else ""
    partly = sum(1 for line in lines if line.lacks)
    told += f" {partly} of these hold in part; what is lacking stands in the table." if partly else ""
    return f"{sum(1 for line in lines if line.id in tests)} of {len(lines)} are proven by at least one test.{told}"


def _row(line: Line, tests: list[str]) -> str:
    proven = "<br>".join(f"`{test}`" for test in tests)
    if line.impossible:
        proven = "<br>".join(filter(None, [f"cannot hold: {line.impossible}", proven]))
    if line.lacks:
        proven = "<br>".join(filter(None, [f"in part; not yet: {line.lacks}", proven]))
    return f"| {line.id} | {_cell(line.sentence)} | {_cell(proven) or 'not yet'} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _proofs_of(path: Path, shown: str) -> Iterator[Proof]:
    tree = ast.parse(path.read_text(encoding="utf-8"), shown)
    whole = [mark for node in tree.body if _assigns_pytestmark(node) for mark in _marks(node, shown)]
    read = {id(mark) for mark, _ in whole}
    for function, name, outer in _tests(tree, ()):
        marks = [found for node in (*outer, *function.decorator_list) for found in _marks(node, shown)]
        read |= {id(mark) for mark, _ in marks}
        for mark, ids in (*whole, *marks):
            yield from (Proof(id_, mark.attr, f"{shown}::{name}", mark.lineno) for id_ in ids)
    for node in ast.walk(tree):
        if _is_mark(node) and id(node) not in read:  # what the table would miss is an error, not a gap
            raise WrongMarkError(f"{shown}:{node.lineno}: write this mark as a call on a test, its ids as literals")


def _tests(
    node: ast.Module | ast.ClassDef, outer: tuple[ast.expr, ...], prefix: str = ""
) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str, tuple[ast.expr, ...]]]:
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and child.name.startswith("test"):
            yield child, prefix + child.name, outer
        elif isinstance(child, ast.ClassDef):
            yield from _tests(child, (*outer, *child.decorator_list), f"{prefix}{child.name}::")


def _assigns_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )


def _marks(node: ast.AST, shown: str) -> Iterator[tuple[ast.Attribute, list[str]]]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and _is_mark(call.func):
            ids = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            if len(ids) != len(call.args) or call.keywords or not ids or not all(isinstance(id_, str) for id_ in ids):
                raise WrongMarkError(f"{shown}:{call.lineno}: the ids of a mark are literals, as in fault('F11')")
            yield call.func, [str(id_) for id_ in ids]


def _is_mark(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """`pytest.mark.fault`, or `mark.fault`."""
    return isinstance(node, ast.Attribute) and node.attr in MARKS and ast.unparse(node.value) in {"pytest.mark", "mark"}


if __name__ == "__main__":
    sys.exit(main())
