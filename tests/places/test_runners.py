"""Under the runners of tests: pytest with its import modes, unittest, doctest."""

from __future__ import annotations

import textwrap

import pytest

from tests.places.program import CLASSES
from tests.stage import python

pytestmark = pytest.mark.requirement("P10")

ASKED = """
import pytest
from .parts import Elsewhere

@pytest.mark.parametrize("host", ["process", "spawn"])
def test_it(host):
    class Local(Worker):
        def __result__(self):
            return "local", super().__result__()

    with ActorSystem() as system:
        refs = [system.spawn(one, 20, host=host) for one in (Worker, Elsewhere, Local)]
        failed = system.spawn(Fails, host=host)
        assert [ref.result(30) for ref in refs] == [41, 41, ("local", 41)]
        assert "# this very line" in failed.exception(30).report.stacks
"""


def test_a_test_module_that_spawns_its_own_classes(tmp_path):
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()
    (folder / "parts.py").write_text(CLASSES.replace("Worker", "Elsewhere"))
    (folder / "test_theirs.py").write_text(CLASSES + ASKED)
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    done = python("-m", "pytest", *options, cwd=tmp_path)
    assert "2 passed" in done.stdout, done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("arguments", [["-m", "unittest"], ["test_theirs.py"]])
def test_a_unittest_case_that_spawns_its_own_classes(tmp_path, arguments):
    case = """
        import unittest

        class TestActors(unittest.TestCase):
            def setUp(self):
                self.system = self.enterContext(ActorSystem())

            def test_results(self):
                for host in ("process", "spawn"):
                    with self.subTest(host):
                        self.assertEqual(self.system.spawn(Worker, 20, host=host).result(30), 41)

            def test_failures(self):
                with self.assertRaisesRegex(Exception, "ValueError: no"):
                    self.system.spawn(Fails).result(30)

        class TestMore(unittest.IsolatedAsyncioTestCase):
            async def test_awaited(self):
                async with ActorSystem() as system:
                    self.assertEqual(await system.spawn(Worker, 20).aio, 41)

        if __name__ == "__main__":
            unittest.main()
    """
    (tmp_path / "test_theirs.py").write_text(CLASSES + textwrap.dedent(case))
    done = python(*arguments, cwd=tmp_path)
    assert "Ran 3 tests" in done.stderr, done.stderr
    assert "OK" in done.stderr.splitlines()


def test_the_examples_of_a_docstring(tmp_path):
    """What they define is in no file; the traceback shows its line all the same."""
    module = '''
        """Some examples.

        >>> from understudy import ActorSystem, Process
        >>> class Doubles(Process):
        ...     def __init__(self, value):
        ...         self.value = value
        ...     def __loop__(self):
        ...         self.value = twice(self.value)
        ...         if self.value > 40:
        ...             raise ValueError("no")  # this very line
        ...         self.stop()
        ...     def __result__(self):
        ...         return self.value
        >>> with ActorSystem() as system:
        ...     for host in ("process", "spawn"):
        ...         print(system.spawn(Doubles, 20, host=host).result(30))
        ...     print(system.spawn(Doubles, 21).exception(30).report.stacks)  # doctest: +ELLIPSIS
        40
        40
        Traceback (most recent call last):
          File "<doctest theirs[1]>", line 7, in __loop__
            raise ValueError("no")  # this very line
        ...
        ValueError: no
        <BLANKLINE>
        """

        def twice(number):
            return 2 * number
    '''
    (tmp_path / "theirs.py").write_text(textwrap.dedent(module))
    done = python("-m", "doctest", "theirs.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
