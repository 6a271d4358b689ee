"""Scripts: found by other ways, in odd places, under other interpreters and options, and gone while they run."""

from __future__ import annotations

import os
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

import understudy
from tests.places.program import CLASSES, PROGRAM, USE, check, check_imported
from tests.stage import python

pytestmark = pytest.mark.requirement("P10")

SOURCE = Path(understudy.__file__).parents[1]
INSTALLED = sysconfig.get_path("purelib")
BY_HAND = {"PYTHONPATH": os.pathsep.join((str(SOURCE), INSTALLED))}


def write(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_script_behind_a_symlink_has_its_own_modules_beside_it(tmp_path):
    write(tmp_path / "real", "parts.py", CLASSES)
    write(tmp_path / "real", "script.py", "from parts import *\n" + USE)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "run-it").symlink_to("../real/script.py")
    done = python("bin/run-it", cwd=tmp_path)
    check_imported(done, "parts")


def test_a_script_run_from_another_directory_by_a_relative_path(tmp_path):
    write(tmp_path / "programs", "script.py", PROGRAM)
    (tmp_path / "elsewhere").mkdir()
    check(python("../programs/script.py", cwd=tmp_path / "elsewhere"))


def test_a_script_with_a_space_and_other_letters_in_its_path(tmp_path):
    script = write(tmp_path / "my café", "Übung eins.py", "# -*- coding: utf-8 -*-\n" + PROGRAM)
    done = python(str(script), cwd=script.parent, env={"PYTHONUTF8": "1"})
    check(done)
    assert "Übung eins.py" in done.stdout


def test_a_path_of_other_letters_where_the_locale_knows_none(tmp_path):
    script = write(tmp_path / "my café", "script.py", PROGRAM)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8:surrogateescape"}
    check(python(str(script), cwd=script.parent, env=plain))


def test_a_path_that_is_no_text_at_all(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    with open(folder + b"/script.py", "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    # What it prints has to be text for us.
    env = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
    check(python(os.fsdecode(folder + b"/script.py"), cwd=os.fsdecode(folder), env=env))


def test_a_script_that_was_deleted_after_its_start(tmp_path):
    script = write(tmp_path / "programs", "script.py", f"import os; os.unlink(__file__)\n{PROGRAM}")
    check(python(str(script), cwd=tmp_path), line=False)
    assert not script.exists()


def test_a_script_whose_directory_was_deleted_after_its_start(tmp_path):
    before = "import os, shutil; shutil.rmtree(os.path.dirname(__file__))\n"
    script = write(tmp_path / "programs", "script.py", before + PROGRAM)
    check(python(str(script), cwd=script.parent), line=False)


@pytest.mark.parametrize("options", [["-I"], ["-E", "-u", "-bb", "-X", "dev"]])
def test_an_interpreter_with_options(tmp_path, options):
    check(python(*options, str(write(tmp_path, "script.py", PROGRAM)), cwd=tmp_path))


def test_an_interpreter_without_site_packages(tmp_path):
    """As some embedded and packed Pythons are: `-S`, and the path made by the script itself."""
    path = f"import sys; sys.path[1:1] = {[str(SOURCE), INSTALLED]!r}\n"
    check(python("-I", "-S", str(write(tmp_path, "script.py", path + PROGRAM)), cwd=tmp_path))
    check(python("-S", "script.py", cwd=tmp_path, env=BY_HAND))


def test_an_interpreter_without_a_virtual_environment(tmp_path):
    """The one that ours was made from, which knows of our packages by PYTHONPATH alone."""
    base: str = sys._base_executable  # type: ignore[attr-defined]
    told = "import sys; assert sys.prefix == sys.base_prefix\n"
    write(tmp_path, "script.py", told + PROGRAM)
    check(python("script.py", cwd=tmp_path, env=BY_HAND, executable=base))


@pytest.mark.parametrize(("option", "docstring"), [("-O", "about"), ("-OO", None)])
def test_an_optimized_interpreter_has_optimized_actors(tmp_path, option, docstring):
    kind = """
        from understudy import Process

        class Asserts(Process):
            def __loop__(self):
                "about"
                assert False
                self.stop()
            def __result__(self):
                return __debug__, type(self).__loop__.__doc__
    """
    write(tmp_path, "imported.py", textwrap.dedent(kind))
    use = """
        import imported
        from understudy import ActorSystem
        with ActorSystem() as system:
            for kind in (Asserts, imported.Asserts):
                for host in ("process", "spawn"):
                    print(system.spawn(kind, host=host).result(30))
    """
    write(tmp_path, "script.py", textwrap.dedent(kind) + textwrap.dedent(use))
    done = python(option, "script.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{(False, docstring)}\n" * 4, "")
