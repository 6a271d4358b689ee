"""Each law of the house is shown trees that break it, and one that keeps them all."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.house import laws
from tests.house.source import Module, modules

GOOD = {
    "__init__.py": "from understudy.system import ActorSystem as ActorSystem",
    "errors.py": "class UnderstudyError(Exception): ...",
    "config.py": """
        from typing import TYPE_CHECKING
        from understudy.errors import UnderstudyError
        if TYPE_CHECKING:
            import zmq
            from understudy.system import ActorSystem
        """,
    "runtime.py": "import understudy.errors",
    "lifecycle/__init__.py": "from understudy.lifecycle.states import State as State",
    "lifecycle/states.py": "import enum, math, dataclasses\nfrom understudy.config import X",
    "lifecycle/transitions.py": "from understudy.lifecycle import states",
    "wire/__init__.py": "",
    "wire/sockets/hub.py": "import zmq\nfrom zmq.utils import z85",
    "ref.py": "from understudy import runtime\ndef ask(): return runtime.inside",
    "spawners/__init__.py": "from understudy.spawners.zygote import Zygote as Zygote",
    "spawners/zygote.py": """
        import importlib, os, signal, subprocess
        from understudy.errors import UnderstudyError
        def end(pid, fd, child):
            os.kill(pid, signal.SIGKILL), os.killpg(pid, 9), signal.pidfd_send_signal(fd, 9)
            child.terminate(), child.send_signal(15), subprocess.Popen(["true"]).kill()
        def boot(): return importlib.import_module("understudy.engine.boot")
        """,
    "engine/boot.py": """
        import signal
        from understudy.process import Process
        def interrupt(thread): signal.pthread_kill(thread, 35), signal.raise_signal(15)
        """,
    "process.py": """
        from understudy.errors import UnderstudyError
        class Process:
            def kill(self): self.ref.kill()
        def end(actor, log):
            try:
                actor.kill()
            except KeyError:
                pass
            except Exception:
                log.exception("the actor")
        def found(name):
            try:
                return name()
            except Exception:
                return None
        """,
    "system.py": """
        def late():
            from understudy.engine.boot import interrupt
            from understudy.spawners import Zygote
        """,
    "cli/main.py": "import importlib\nmain = importlib.import_module('understudy.system')",
    "__main__.py": "from understudy.cli.main import main",
}

# law, the file that breaks it, what is in it, what is said
BAD: list[tuple[laws.Law, str, str, str]] = [
    (laws.every_module_has_a_floor, "attic.py", "", "src/understudy/attic.py: attic stands on no floor"),
    (laws.every_module_has_a_floor, "attic/box.py", "", "attic stands on no floor"),
    (
        laws.every_module_has_a_floor,
        "ref.py",
        "import understudy.cellar.wine",
        "understudy.cellar.wine stands on no floor",
    ),
    (laws.imports_go_down, "errors.py", "import understudy.config", "errors (floor 0) imports up: understudy.config"),
    (
        laws.imports_go_down,
        "ref.py",
        "from understudy.system import ActorSystem",
        "src/understudy/ref.py:1: ref (floor 4)",
    ),
    (laws.imports_go_down, "ref.py", "from understudy import system", "imports up: understudy.system"),
    (
        laws.imports_go_down,
        "ref.py",
        "def late():\n    import understudy.system as s",
        "ref.py:2: ref (floor 4) imports up",
    ),
    (laws.imports_go_down, "ref.py", "import importlib as i\ni.import_module('understudy.system')", "imports up"),
    (laws.imports_go_down, "ref.py", "__import__('understudy.system')", "imports up"),
    (laws.imports_go_down, "wire/keys.py", "from ..lifecycle import states", "wire imports its neighbour lifecycle"),
    (laws.imports_go_down, "config.py", "from understudy.status import Status", "config imports its neighbour status"),
    (laws.imports_go_down, "spawners/x.py", "import understudy.engine.boot", "spawners (floor 5) imports up"),
    (
        laws.imports_go_down,
        "ref.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nelse:\n    import understudy.system",
        "ref.py:5: ref (floor 4) imports up",
    ),
    (
        laws.nothing_imports_the_root,
        "ref.py",
        "from understudy import Process",
        "understudy.Process is taken from the root",
    ),
    (laws.nothing_imports_the_root, "ref.py", "import understudy", "understudy is taken from the root"),
    (laws.nothing_imports_the_root, "cli/x.py", "def f():\n    from understudy import *", "cli/x.py:2: understudy.*"),
    (laws.imports_are_absolute, "wire/codec.py", "from . import keys", "write it out: understudy.wire.keys"),
    (laws.imports_are_absolute, "wire/__init__.py", "from .keys import K as K", "write it out: understudy.wire.keys.K"),
    (laws.only_sockets_imports_zmq, "wire/codec.py", "from zmq import Context", "wire/codec.py:1: imports zmq.Context"),
    (laws.only_sockets_imports_zmq, "router/loop.py", "def f():\n    import zmq.asyncio", "imports zmq.asyncio"),
    (laws.only_sockets_imports_zmq, "router/loop.py", "__import__('zmq')", "imports zmq"),
    (laws.lifecycle_is_pure, "lifecycle/budget.py", "from random import Random", "lifecycle imports random.Random"),
    (laws.modules_are_short, "ref.py", "x = 1\n" * 401, "src/understudy/ref.py: 401 lines; 400 at most"),
    (laws.no_module_is_a_drawer, "wire/utils.py", "", "src/understudy/wire/utils.py: utils says nothing"),
    (laws.no_module_is_a_drawer, "common/__init__.py", "", "common says nothing"),
    (laws.no_module_is_a_drawer, "router/_helpers.py", "", "helpers says nothing"),
    (laws.packages_re_export_by_name, "wire/__init__.py", "from understudy.wire.keys import K", "import K as K"),
    (laws.packages_re_export_by_name, "wire/__init__.py", "from understudy.wire.keys import K as Key", "import K as K"),
    (laws.packages_re_export_by_name, "__init__.py", "from understudy.ref import *", "import * as *"),
    (
        laws.only_spawners_send_signals,
        "system.py",
        "import os\nos.kill(1, 9)",
        "system.py:2: os.kill outside spawners/",
    ),
    (laws.only_spawners_send_signals, "system.py", "from os import killpg as k\nk(1, 9)", "os.killpg outside"),
    (laws.only_spawners_send_signals, "system.py", "import os\nend = partial(os.kill, 1)", "os.kill outside"),
    (laws.only_spawners_send_signals, "engine/link.py", "import signal as s\ns.pidfd_send_signal(3, 9)", "pidfd_send"),
    (laws.only_spawners_send_signals, "router/loop.py", "import signal\nsignal.pthread_kill(3, 9)", "pthread_kill"),
    (laws.only_spawners_send_signals, "router/loop.py", "child.terminate()", ".terminate() outside"),
    (laws.only_spawners_send_signals, "router/loop.py", "child.send_signal(9)", ".send_signal() outside"),
    (laws.only_spawners_send_signals, "system.py", "import psutil\npsutil.Process(3).kill()", ".kill() of a program"),
    (
        laws.only_spawners_send_signals,
        "system.py",
        "import psutil\nfor child in psutil.Process().children():\n    child.kill()",
        "system.py:3: .kill() of a program",
    ),
    (
        laws.only_spawners_send_signals,
        "system.py",
        "from subprocess import Popen\nclass A:\n  def f(self):\n    self.p = Popen(['true'])\n    self.p.kill()",
        "system.py:5: .kill() of a program",
    ),
    (
        laws.only_spawners_send_signals,
        "system.py",
        "import subprocess\ndef f(p: subprocess.Popen[bytes]):\n    p.kill()",
        ".kill() of a program",
    ),
    (
        laws.no_error_is_swallowed,
        "ref.py",
        "try:\n    f()\nexcept Exception:\n    pass",
        "ref.py:3: catches everything",
    ),
    (laws.no_error_is_swallowed, "ref.py", "try:\n    f()\nexcept:\n    ...", "catches everything"),
    (laws.no_error_is_swallowed, "ref.py", "try:\n    f()\nexcept BaseException as e:\n    'why not'", "catches"),
    (
        laws.no_error_is_swallowed,
        "ref.py",
        "while 1:\n  try:\n    f()\n  except (OSError, Exception):\n    continue",
        "catches",
    ),
    (
        laws.no_error_is_swallowed,
        "ref.py",
        "def f():\n  try:\n    g()\n  except Exception:\n    return",
        "catches",
    ),
    (laws.no_error_is_swallowed, "ref.py", "import contextlib\nwith contextlib.suppress(Exception): f()", "suppresses"),
    (
        laws.no_error_is_swallowed,
        "ref.py",
        "from contextlib import suppress\nwith suppress(BaseException): f()",
        "suppresses",
    ),
]

CIRCLES: list[dict[str, str]] = [
    {"wire/a.py": "import understudy.wire.b", "wire/b.py": "from understudy.wire import a"},
    {"wire/a.py": "def late():\n    from understudy.wire.b import X", "wire/b.py": "from understudy.wire.a import Y"},
    {
        "wire/a.py": "from understudy.wire.b import X",
        "wire/b.py": "from understudy.wire.c import X",
        "wire/c.py": "import understudy.wire.a",
    },
    {"wire/__init__.py": "from understudy.wire.a import X as X", "wire/a.py": "from understudy.wire import X"},
]


@pytest.fixture
def build(tmp_path: Path):
    def written(files: dict[str, str]) -> list[Module]:
        root = tmp_path / "src" / "understudy"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).strip() + "\n")
        return modules(root)

    return written


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_a_good_house_breaks_no_law(build, law):
    assert list(law(build(GOOD))) == []


@pytest.mark.parametrize(("law", "file", "text", "said"), BAD, ids=[f"{row[0].__name__}-{row[1]}" for row in BAD])
def test_a_law_finds_what_breaks_it_and_says_where(build, law, file, text, said):
    breaches = list(law(build(GOOD | {file: text})))
    assert len(breaches) == 1, breaches
    assert said in breaches[0]
    assert f"src/understudy/{file}" in breaches[0]


@pytest.mark.parametrize("files", CIRCLES)
def test_a_circle_of_imports_is_told_with_all_its_modules(build, files):
    (breach,) = laws.no_imports_in_a_circle(build(files))
    for file in files:
        assert "understudy." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") in breach


@pytest.mark.parametrize("impure", ["zmq", "time", "os", "random", "logging", "threading", "socket", "signal"])
def test_nothing_impure_comes_into_the_lifecycle(build, impure):
    (breach,) = laws.lifecycle_is_pure(build({"lifecycle/budget.py": f"def late():\n    import {impure}"}))
    assert breach == f"src/understudy/lifecycle/budget.py:2: lifecycle imports {impure}; pass in what it would tell"


def test_every_law_is_enforced_and_shown_to_bite():
    enforced = (Path(__file__).parent / "test_floors.py").read_text()
    broken = {law for law, *_ in BAD} | {laws.no_imports_in_a_circle}
    for law in laws.LAWS:
        assert f"obeyed(laws.{law.__name__}, house)" in enforced
        assert law in broken
    public = {name for name, value in vars(laws).items() if callable(value) and value.__module__ == laws.__name__}
    assert {name for name in public if not name.startswith("_")} == {law.__name__ for law in laws.LAWS}
