"""The laws of the house, each a function from the modules to its breaches: what is wrong, and where."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from tests.house.source import PACKAGE, Import, Module, running

Law = Callable[[Sequence[Module]], Iterator[str]]

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"settings", "stats", "globs"}),
    frozenset(
        {
            "call",
            "status",
            "logs",
            "callables",
            "config",
            "timing",
            "failpoints",
            "latch",
            "program",
            "routing",
            "runtime",
            "shadowing",
            "terminal",
            "tracing",
            "waiting",
        }
    ),
    frozenset({"lifecycle", "wire", "receiving", "part", "deadletters"}),
    frozenset({"ref", "outcome", "handle", "hooks"}),
    frozenset({"process", "spawners", "observe", "mail", "group"}),
    frozenset({"targets"}),
    frozenset({"router", "engine"}),
    frozenset({"system"}),
    frozenset({"pool", "services"}),
    frozenset({"cli", "testing"}),
    frozenset({"__main__"}),  # `python -m understudy`: one call into cli
)
FLOOR_OF = {unit: number for number, units in enumerate(FLOORS) for unit in units}

LONGEST = 400  # lines
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc"}  # names under which anything may be put

# What would make a decision depend on more than its arguments.
IMPURE = {
    "asyncio", "cloudpickle", "datetime", "logging", "msgpack", "multiprocessing", "os", "psutil", "random", "secrets",
    "select", "selectors", "signal", "socket", "subprocess", "threading", "time", "uuid", "zmq",
}  # fmt: skip

KILLERS = {"os.kill", "os.killpg", "signal.pidfd_send_signal", "signal.pthread_kill"}
HANDLES = {  # what these give has a kill() that is a signal
    "multiprocessing.Process", "psutil.Popen", "psutil.Process", "psutil.process_iter", "psutil.wait_procs",
    "subprocess.Popen",
}  # fmt: skip


def imports_go_down(modules: Sequence[Module]) -> Iterator[str]:
    """A module imports from floors below its own, and from its own package."""
    for module, wanted, unit in _inside(modules):
        if module.unit == unit or not unit or unit not in FLOOR_OF or module.unit not in FLOOR_OF:
            continue
        if wanted.dynamic and module.unit == "spawners":
            continue  # a spawner names what its child is to import
        here, there = FLOOR_OF[module.unit], FLOOR_OF[unit]
        if there == here:
            yield f"{module.at(wanted.line)}: {module.unit} imports its neighbour {unit} ({wanted.asked})"
        elif there > here:
            yield f"{module.at(wanted.line)}: {module.unit} (floor {here}) imports up: {wanted.asked} (floor {there})"


def every_module_has_a_floor(modules: Sequence[Module]) -> Iterator[str]:
    """A module or package directly under the root is named in FLOORS, and so is what others import from there."""
    for module in modules:
        if module.unit and module.unit not in FLOOR_OF:
            yield f"{module.shown}: {module.unit} stands on no floor; give it one in tests/house/laws.py"
    for module, wanted, unit in _inside(modules):
        if unit and unit not in FLOOR_OF and wanted.origin != PACKAGE:
            yield f"{module.at(wanted.line)}: {wanted.asked} stands on no floor"


def nothing_imports_the_root(modules: Sequence[Module]) -> Iterator[str]:
    """Inside the package, names come from the modules that define them; a module itself may be asked for."""
    for module, wanted, unit in _inside(modules):
        if wanted.origin == PACKAGE and unit not in FLOOR_OF:
            yield f"{module.at(wanted.line)}: {wanted.asked} is taken from the root; import it from its module"


def imports_are_absolute(modules: Sequence[Module]) -> Iterator[str]:
    """No import begins with a dot."""
    for module in modules:
        for wanted in module.imports():
            if wanted.relative:
                yield f"{module.at(wanted.line)}: write it out: {wanted.asked}"


def no_imports_in_a_circle(modules: Sequence[Module]) -> Iterator[str]:
    """No module reaches itself through imports, late ones included."""
    names = {module.name for module in modules}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for module in modules:
        if module.name != PACKAGE:
            for wanted in module.imports():
                target = wanted.asked if wanted.asked in names else wanted.origin
                graph[module.name] |= {target} & names
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "a circle: " + " <- ".join(error.args[1])


def only_sockets_imports_zmq(modules: Sequence[Module]) -> Iterator[str]:
    """Every socket option is set in one package."""
    for module in modules:
        if not f"{module.name}.".startswith(f"{PACKAGE}.wire.sockets."):
            for wanted in module.imports():
                if _top(wanted) == "zmq":
                    yield f"{module.at(wanted.line)}: imports {wanted.asked}; only wire/sockets may"


def lifecycle_is_pure(modules: Sequence[Module]) -> Iterator[str]:
    """Decisions know no clock, chance, descriptor, process or log."""
    for module in modules:
        if module.unit == "lifecycle":
            for wanted in module.imports():
                if _top(wanted) in IMPURE:
                    yield f"{module.at(wanted.line)}: lifecycle imports {wanted.asked}; pass in what it would tell"


def only_spawners_send_signals(modules: Sequence[Module]) -> Iterator[str]:
    """Signals to other processes leave from spawners; the engine may signal threads of its own process."""
    for module in modules:
        if module.unit != "spawners":
            handles = _handles(module)
            for node in ast.walk(module.tree):
                if told := _signal(module, node, handles):
                    yield f"{module.at(node.lineno)}: {told} outside spawners/"  # type: ignore[attr-defined]


def modules_are_short(modules: Sequence[Module]) -> Iterator[str]:
    """At most LONGEST lines."""
    for module in modules:
        if (lines := len(module.text.splitlines())) > LONGEST:
            yield f"{module.shown}: {lines} lines; {LONGEST} at most"


def no_module_is_a_drawer(modules: Sequence[Module]) -> Iterator[str]:
    """A name says what is inside."""
    for module in modules:
        if drawers := DRAWERS & {part.lstrip("_") for part in module.name.split(".")}:
            yield f"{module.shown}: {drawers.pop()} says nothing of what is inside"


def packages_re_export_by_name(modules: Sequence[Module]) -> Iterator[str]:
    """An `__init__` says `from understudy.a import X as X`, so that readers and type checkers see what it offers."""
    for module in modules:
        if module.is_package:
            for node in running(module.tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
                    for alias in node.names:
                        if alias.asname != alias.name:
                            line = f"from {node.module} import {alias.name} as {alias.name}"
                            yield f"{module.at(node.lineno)}: re-export by name: {line}"


def no_error_is_swallowed(modules: Sequence[Module]) -> Iterator[str]:
    """What catches everything does something about it."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and all(map(_idle, node.body)):
                yield f"{module.at(node.lineno)}: catches everything and does nothing"
            suppresses = isinstance(node, ast.Call) and module.dotted(node.func) == "contextlib.suppress"
            if isinstance(node, ast.Call) and suppresses and any(map(_catches_all, node.args)):
                yield f"{module.at(node.lineno)}: suppresses everything"


LAWS: tuple[Law, ...] = (
    every_module_has_a_floor, imports_are_absolute, imports_go_down, lifecycle_is_pure, modules_are_short,
    no_error_is_swallowed, no_imports_in_a_circle, no_module_is_a_drawer, nothing_imports_the_root,
    only_sockets_imports_zmq, only_spawners_send_signals, packages_re_export_by_name,
)  # fmt: skip


def _inside(modules: Sequence[Module]) -> Iterator[tuple[Module, Import, str]]:
    """Each import that stays in the package, with the unit it reaches; the root may import anything."""
    for module in modules:
        if module.name != PACKAGE:
            for wanted in module.imports():
                parts = wanted.asked.split(".")
                if parts[0] == PACKAGE:
                    yield module, wanted, parts[1] if len(parts) > 1 else ""


def _top(wanted: Import) -> str:
    return wanted.asked.partition(".")[0]


def _signal(module: Module, node: ast.AST, handles: set[str]) -> str | None:
    """How a node sends a signal, if it does. A mere mention counts: it may be called elsewhere."""
    if isinstance(node, (ast.Attribute, ast.Name)) and (dotted := module.dotted(node)) in KILLERS:
        return None if dotted == "signal.pthread_kill" and module.unit == "engine" else dotted
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in {"send_signal", "terminate"}:
            return f".{node.func.attr}()"
        if node.func.attr == "kill" and _is_handle(module, node.func.value, handles):
            return ".kill() of a program"
    return None


def _handles(module: Module) -> set[str]:
    """Names that are given, or said to be, a program to be handled."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        pairs: list[tuple[ast.AST, ast.AST | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(node.target, node.value), (node.target, node.annotation)]
        elif isinstance(node, ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            pairs = [(node.target, node.iter)]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            pairs = [(node.optional_vars, node.context_expr)]
        elif isinstance(node, ast.arg):
            pairs = [(ast.Name(node.arg), node.annotation)]
        for target, value in pairs:
            if value is not None and _is_handle(module, value, names):
                parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
                names |= {ast.unparse(part) for part in parts}
    return names


def _is_handle(module: Module, node: ast.AST, handles: set[str]) -> bool:
    return any(
        isinstance(part, (ast.Name, ast.Attribute)) and (module.dotted(part) in HANDLES or ast.unparse(part) in handles)
        for part in ast.walk(node)
    )


def _catches_all(caught: ast.AST | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_catches_all, caught.elts))
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def _idle(statement: ast.stmt) -> bool:
    """Neither answers nor tells; an explicit `return None` is an answer, which the caller has to expect."""
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    leaves = isinstance(statement, ast.Return) and statement.value is None
    return constant or leaves or isinstance(statement, (ast.Pass, ast.Continue, ast.Break))
