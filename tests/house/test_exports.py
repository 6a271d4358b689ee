"""What `import understudy` promises, and what it must not do."""

from __future__ import annotations

import dataclasses
import enum
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import understudy
from tests.house import exports

ROOT = Path(__file__).parents[2]

NOT_AT_IMPORT = {"psutil", "typer", "rich", "prometheus_client", "numpy", "pytest", "hypothesis"}


def reference() -> str:
    pages = [ROOT / "docs" / "reference.md", *sorted((ROOT / "docs" / "reference").glob("**/*.md"))]
    return "\n".join(page.read_text() for page in pages if page.exists())


def in_a_fresh_interpreter(code: str):
    """Run the code, which prints JSON, where nothing of ours has been imported yet."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True, timeout=30
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout)


@pytest.mark.parametrize("law", exports.LAWS, ids=lambda law: law.__name__)
def test_the_exports_keep_the_law(law):
    breaches = list(law(understudy))
    assert not breaches, f"{law.__doc__}\n" + "\n".join(f"  {breach}" for breach in breaches)


def test_every_public_name_is_in_the_reference():
    text = reference()
    if not text:
        pytest.skip("no docs/reference.md yet")
    assert exports.missing_from(text, understudy) == []


def test_importing_understudy_leaves_the_command_line_and_the_extras_alone():
    loaded = in_a_fresh_interpreter("import json, sys, understudy; print(json.dumps(sorted(sys.modules)))")
    assert "understudy.errors" in loaded
    assert NOT_AT_IMPORT & {name.partition(".")[0] for name in loaded} == set()


@pytest.mark.parametrize("name", ["understudy", "understudy.observe", "understudy.testing", "understudy.cli"])
def test_an_import_starts_no_thread_and_no_process_and_opens_nothing(name):
    before, after = in_a_fresh_interpreter(f"""
        import importlib, json, os, psutil

        def held():
            children = [child.pid for child in psutil.Process().children(recursive=True)]
            descriptors = {{fd: os.path.realpath(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd")}}
            opened = sorted(target for target in descriptors.values() if not target.startswith("/proc/"))
            return [len(os.listdir("/proc/self/task")), children, opened, sorted(os.environ), os.getcwd()]

        before = held()
        importlib.import_module("{name}")
        print(json.dumps([before, held()]))
    """)
    assert after == before


def test_an_observer_is_to_be_had_from_observe_alone():
    home = in_a_fresh_interpreter(
        "import json; from understudy.observe import Observer; print(json.dumps([Observer.__name__, Observer.__doc__]))"
    )
    assert home[0] == "Observer"
    assert home[1]


# The law itself, on packages made for it.


def made(all_: list[str], **names: object) -> ModuleType:
    package = ModuleType("made")
    package.__dict__.update(names, __all__=all_)
    return package


class Documented:
    """Says what it is."""


class Mute:
    pass


class Inheriting(Documented):
    pass


@dataclasses.dataclass
class MuteData:
    x: int


class MuteTuple(NamedTuple):
    x: int


class MuteEnum(enum.Enum):
    ONE = 1


def mute(): ...


def told():
    """Say what it does."""


def test_a_name_that_is_not_there_is_found():
    assert list(exports.all_names_exist(made(["gone"]))) == ["gone is promised and not there"]


def test_a_name_promised_twice_is_found():
    assert list(exports.all_names_exist(made(["told", "told"], told=told))) == ["told is promised twice"]


def test_a_package_without_all_is_found():
    with pytest.raises(AssertionError, match="empty has no __all__"):
        list(exports.all_names_exist(ModuleType("empty")))


def test_a_public_name_outside_all_is_found():
    package = made([], Documented=Documented, _private=1, json=json)
    assert list(exports.nothing_public_is_unnamed(package)) == ["Documented is public and not in __all__"]


@pytest.mark.parametrize("value", [Mute, Inheriting, MuteData, MuteTuple, MuteEnum, mute])
def test_a_missing_docstring_is_found(value):
    assert list(exports.all_are_documented(made(["it"], it=value))) == ["it has no docstring"]


@pytest.mark.parametrize("value", [Documented, told, "1.0"])
def test_a_docstring_and_a_constant_are_let_be(value):
    assert list(exports.all_are_documented(made(["it"], it=value))) == []


@pytest.mark.parametrize("home", ["nowhere.at.all", "json"])
def test_an_object_that_is_not_where_it_says_is_found(home):
    lost = type("Lost", (), {"__module__": home})
    assert list(exports.all_are_found_by_name(made(["Lost"], Lost=lost))) == [
        f"Lost says it is {home}.Lost, and there it is not"
    ]
    assert list(exports.all_are_found_by_name(made(["told"], told=told))) == []


def test_a_name_missing_from_the_reference_is_found():
    package = made(["Documented", "Mute", "told"])
    text = "Mute is named in prose only; `Documented(x)` as code.\n```python\ntold()\n```"
    assert exports.missing_from(text, package) == ["Mute"]


def test_what_runs_in_actors_imports_no_asyncio_before_something_of_the_users_needs_it():
    """It would cost each zygote some MiB, and each fork what of these is written to."""
    loaded = in_a_fresh_interpreter("import json, sys, understudy.engine.boot; print(json.dumps([*sys.modules]))")
    assert {"asyncio", "ssl", "psutil", "pathlib"} & {*loaded} == set()


def test_a_program_that_awaits_nothing_and_is_asked_nothing_loads_neither_asyncio_nor_what_reads_versions():
    """They would add a good seventh to what its start takes."""
    seen = in_a_fresh_interpreter("""
        import json, sys
        from understudy import ActorSystem
        with ActorSystem() as system:
            done = system.spawn(abs, -3).result(30)
        print(json.dumps([done, sorted({"asyncio", "importlib.metadata"} & sys.modules.keys())]))
    """)
    assert seen == [3, []]
