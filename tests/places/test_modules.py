"""Modules and packages that are run, archives, and code that came in by another door than an import."""

from __future__ import annotations

import os
import textwrap
import zipapp

import pytest

from tests.places.program import CLASSES, PROGRAM, USE, check, check_imported
from tests.stage import python

pytestmark = pytest.mark.requirement("P10")


@pytest.fixture
def package(tmp_path):
    """A package whose modules import each other relatively."""
    package = tmp_path / "company"
    (package / "tools").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text(CLASSES)
    (package / "tools" / "__init__.py").write_text("from ..parts import *\n")
    (package / "tools" / "use.py").write_text("from . import *\nfrom ..parts import Worker, Fails\n" + USE)
    (package / "alone.py").write_text(PROGRAM)
    (package / "tools" / "mixed.py").write_text(MIXED)
    return package


MIXED = """\
from ..parts import ActorSystem, Worker

class Derived(Worker):
    def __result__(self):
        from . import Worker as there
        from .. import parts
        assert isinstance(self, there)
        return super().__result__(), __name__, __package__, parts.FACTOR

with ActorSystem() as system:
    for host in ("process", "spawn"):
        print(system.spawn(Derived, 20, host=host).result(30))
"""


def test_a_module_of_a_package_that_is_run(package):
    check(python("-m", "company.alone", cwd=package.parent))


def test_classes_of_a_package_that_imports_relatively(package):
    check_imported(python("-m", "company.tools.use", cwd=package.parent), "company.parts")


def test_hooks_of_a_module_that_is_run_import_relatively(package):
    done = python("-m", "company.tools.mixed", cwd=package.parent)
    said = [line for line in done.stdout.splitlines() if not line.startswith("ran as")]
    assert said == [str((41, "__main__", "company.tools", 2))] * 2, done.stderr


@pytest.fixture
def archive(tmp_path):
    def make(**files):
        folder = tmp_path / "app"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        zipapp.create_archive(folder, tmp_path / "app.pyz")
        return str(tmp_path / "app.pyz")

    return make


def test_an_archive_that_is_run(archive, tmp_path):
    check(python(archive(__main__=PROGRAM), cwd=tmp_path))


def test_classes_of_a_module_in_an_archive(archive, tmp_path):
    path = archive(__main__="from parts import *\n" + USE, parts=CLASSES)
    check_imported(python(os.path.basename(path), cwd=tmp_path), "parts")


@pytest.mark.parametrize(
    "run",
    [
        "runpy.run_path('theirs.py', run_name='__main__')",
        "runpy.run_path(os.path.abspath('theirs.py'), run_name='__main__')",
        "runpy.run_module('theirs', run_name='__main__')",
        "runpy.run_module('theirs', run_name='__main__', alter_sys=True)",
    ],
)
def test_a_script_under_runpy(tmp_path, run):
    (tmp_path / "theirs.py").write_text(PROGRAM)
    check(python("-c", f"import os, runpy; {run}", cwd=tmp_path))


def test_a_script_under_runpy_by_another_name(tmp_path):
    (tmp_path / "theirs.py").write_text(PROGRAM)
    check(python("-c", "import runpy; runpy.run_path('theirs.py')", cwd=tmp_path), name="<run_path>")


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("{'__name__': '__main__'}", "__main__"), ("{'__name__': 'made'}", "made"), ("{}", "builtins")],
)
def test_code_under_exec(tmp_path, namespace, name):
    (tmp_path / "theirs.txt").write_text(PROGRAM)
    check(python("-c", f"exec(open('theirs.txt').read(), {namespace})", cwd=tmp_path), name=name, line=False)


def test_code_under_exec_inside_a_function(tmp_path):
    """With locals of its own, as a class body has them: what hooks name is looked up among the globals."""
    (tmp_path / "theirs.txt").write_text(PROGRAM)
    script = """
        def run():
            names = dict(globals())
            exec(compile(open("theirs.txt").read(), os.path.abspath("theirs.txt"), "exec"), names)
        import os
        run()
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    check(python("script.py", cwd=tmp_path))


PLUGIN = """
    import importlib.util, sys
    spec = importlib.util.spec_from_file_location({name!r}, "plugins/theirs.py")
    module = importlib.util.module_from_spec(spec)
    {register}
    spec.loader.exec_module(module)
    Worker, Fails, ActorSystem = module.Worker, module.Fails, module.ActorSystem
"""


@pytest.mark.parametrize("register", ["", "sys.modules[spec.name] = module"])
@pytest.mark.parametrize("name", ["theirs", "plugins_of.ours", "json"])
def test_a_plugin_that_was_loaded_from_its_file(tmp_path, register, name):
    """As the importlib recipe has it: a child that imported that name would find nothing, or another module."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "theirs.py").write_text(CLASSES)
    (tmp_path / "script.py").write_text(textwrap.dedent(PLUGIN.format(name=name, register=register)) + USE)
    check(python("script.py", cwd=tmp_path), name=name)


def test_a_module_that_was_made_by_hand(tmp_path):
    (tmp_path / "theirs.txt").write_text(CLASSES)
    script = """
        import sys, types
        made = sys.modules["made"] = types.ModuleType("made")
        exec(open("theirs.txt").read(), vars(made))
        from made import *
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script) + USE)
    check(python("script.py", cwd=tmp_path), name="made", line=False)
