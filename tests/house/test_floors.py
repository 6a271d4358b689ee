"""The source tree against the laws of the house; `test_laws.py` shows that each law bites."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import laws
from tests.house.source import Module, modules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def house() -> list[Module]:
    return modules(ROOT / "src" / "understudy")


def obeyed(law: laws.Law, house: list[Module]) -> None:
    breaches = list(law(house))
    assert not breaches, f"{law.__doc__}\n" + "\n".join(f"  {breach}" for breach in breaches)


def test_the_whole_package_is_looked_at(house):
    seen = {module.shown for module in house}
    on_disk = {path.relative_to(ROOT).as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert seen == on_disk
    assert {"src/understudy/errors.py", "src/understudy/testing/leaks.py"} <= seen


def test_every_module_stands_on_a_floor(house):
    obeyed(laws.every_module_has_a_floor, house)


def test_imports_go_down_the_floors(house):
    obeyed(laws.imports_go_down, house)


def test_nothing_inside_imports_the_root_package(house):
    obeyed(laws.nothing_imports_the_root, house)


def test_imports_are_absolute(house):
    obeyed(laws.imports_are_absolute, house)


def test_no_imports_run_in_a_circle(house):
    obeyed(laws.no_imports_in_a_circle, house)


def test_zmq_is_imported_in_one_module(house):
    obeyed(laws.only_sockets_imports_zmq, house)


def test_lifecycle_is_pure(house):
    obeyed(laws.lifecycle_is_pure, house)


def test_signals_are_sent_by_spawners_only(house):
    obeyed(laws.only_spawners_send_signals, house)


def test_no_module_is_longer_than_400_lines(house):
    obeyed(laws.modules_are_short, house)


def test_no_module_has_a_name_that_says_nothing(house):
    obeyed(laws.no_module_is_a_drawer, house)


def test_packages_re_export_by_name(house):
    obeyed(laws.packages_re_export_by_name, house)


def test_no_error_is_swallowed(house):
    obeyed(laws.no_error_is_swallowed, house)
