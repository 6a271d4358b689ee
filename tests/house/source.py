"""The modules of a package, read and parsed: what the laws of the house look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "understudy"


@dataclass(frozen=True)
class Import:
    """One import: the dotted name it asks for, and what it binds."""

    line: int
    asked: str  # "understudy.wire.codec" for `from understudy.wire import codec`
    origin: str  # "understudy.wire" there
    relative: bool = False
    dynamic: bool = False  # importlib.import_module("...")


@dataclass(frozen=True)
class Module:
    name: str  # dotted
    path: Path
    shown: str  # the path in messages
    text: str

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def unit(self) -> str:
        """The module or package directly under the root that this belongs to; the root itself is ''."""
        return self.name.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.shown)

    def at(self, line: int) -> str:
        return f"{self.shown}:{line}"

    def imports(self) -> Iterator[Import]:
        """Every import that runs, at the top or late; those for typing alone don't."""
        for node in running(self.tree):
            yield from _imports(self, node)

    @cached_property
    def bound(self) -> dict[str, str]:
        """Local names that imports bind, with the dotted names they stand for."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return names

    def dotted(self, node: ast.AST) -> str | None:
        """`os.kill` for an expression that reaches it, whatever it was imported as."""
        if isinstance(node, ast.Name):
            return self.bound.get(node.id)
        if isinstance(node, ast.Attribute) and (base := self.dotted(node.value)):
            return f"{base}.{node.attr}"
        return None


def modules(root: Path) -> list[Module]:
    """All modules of the package that lies at `root`, e.g. src/understudy."""
    found = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        parts = inside.parent.parts if path.name == "__init__.py" else inside.with_suffix("").parts
        shown = path.relative_to(root.parent.parent).as_posix()
        found.append(Module(".".join((PACKAGE, *parts)), path, shown, path.read_text(encoding="utf-8")))
    return found


def running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below, but not what stands under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _for_typing(child.test):
            for late in child.orelse:
                yield late
                yield from running(late)
            continue
        yield child
        yield from running(child)


def _for_typing(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _imports(module: Module, node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(node.lineno, alias.name, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = _absolute(module, node)
        for alias in node.names:
            yield Import(node.lineno, f"{origin}.{alias.name}", origin, relative=node.level > 0)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        by_name = module.dotted(node.func) == "importlib.import_module"
        by_name |= isinstance(node.func, ast.Name) and node.func.id == "__import__"
        if by_name and isinstance(name := node.args[0].value, str):
            yield Import(node.lineno, name, name, dynamic=True)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])
