"""What goes along with functions by value, and which modules go by value for want of an import that finds them."""

from __future__ import annotations

import linecache
import sys
import traceback
import types
from importlib.machinery import ModuleSpec

import pytest

from understudy.wire.pickling import dumps, loads
from understudy.wire.travelling.findable import found_again

pytestmark = pytest.mark.requirement("P10")
CODE = "def fails():\n    raise ValueError  # this very line\n"


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    """What Python has read so far, for this test alone."""
    monkeypatch.setattr(linecache, "cache", {})


def made(filename, **names):
    namespace = {"__name__": "__main__", **names}
    exec(compile(CODE, filename, "exec"), namespace)  # noqa: S102 - as prompts and notebooks do
    return namespace["fails"]


def told(pickled):
    """The traceback of the function in a process that never heard of the lines."""
    linecache.cache.clear()
    opened = loads([pickled])
    try:
        opened()
    except ValueError:
        return traceback.format_exc()


def test_lines_that_only_this_process_knows_go_along():
    linecache.cache["<cell 1>"] = (len(CODE), None, CODE.splitlines(keepends=True), "<cell 1>")
    assert "# this very line" in told(dumps(made("<cell 1>"), "it"))


def test_lines_that_a_file_holds_stay_there(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    pickled = dumps(made(str(path)), "it")
    assert b"this very line" not in pickled
    assert "# this very line" in told(pickled)


def test_a_function_and_those_within_it_keep_the_name_of_their_file():
    def outer():
        def inner():
            pass

        return inner

    opened = loads([dumps(outer, "it")])
    assert opened.__code__.co_filename == opened().__code__.co_filename == __file__


class Loader:
    def __init__(self, answer):
        self.answer = answer

    def get_source(self, name):
        if isinstance(self.answer, str):
            return self.answer
        raise self.answer


@pytest.mark.parametrize("trouble", [ImportError("gone"), ZeroDivisionError("theirs")])
def test_a_loader_that_fails_costs_the_lines_and_no_more(trouble):
    text = told(dumps(made("/nowhere/archive.pyz/a.py", __loader__=Loader(trouble)), "it"))
    assert "in fails" in text
    assert "this very line" not in text


def test_the_loader_of_a_module_is_asked_for_lines():
    assert "# this very line" in told(dumps(made("/nowhere/archive.pyz/b.py", __loader__=Loader(CODE)), "it"))


def test_what_an_import_finds_is_known_by_its_file():
    for name in ("json", "json.decoder", "tests.stage", "email.mime.text", "zipimport", "sys", "os"):
        __import__(name)
        module = sys.modules[name]
        assert module.__spec__ is not None
        assert found_again(module, module.__spec__), name


def plugin(tmp_path, name):
    (tmp_path / "plugin.py").write_text("")
    module = types.ModuleType(name)
    spec = ModuleSpec(name, None, origin=str(tmp_path / "plugin.py"))
    spec.has_location = True
    return module, spec


@pytest.mark.parametrize("name", ["plugin", "json", "nowhere.plugin", "json.plugin"])
def test_a_file_from_elsewhere_is_not_found_under_its_name(tmp_path, name):
    assert not found_again(*plugin(tmp_path, name))


def test_it_is_looked_for_anew_when_the_path_has_changed(tmp_path, monkeypatch):
    module, spec = plugin(tmp_path, "plugin")
    assert not found_again(module, spec)
    monkeypatch.syspath_prepend(tmp_path)
    assert found_again(module, spec)


def test_a_finder_that_raises_leaves_it_to_the_import(tmp_path, monkeypatch):
    class Raises:
        def find_spec(self, *_):
            raise ZeroDivisionError

    monkeypatch.setattr(sys, "meta_path", [Raises()])
    assert found_again(*plugin(tmp_path, "plugin"))
