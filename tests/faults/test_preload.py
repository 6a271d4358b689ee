"""Modules that the zygote is told to import first."""

from __future__ import annotations

import os

import pytest

from tests.stage import python
from understudy import ActorSystem, ConfigError


@pytest.mark.fault("F7")
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise OSError('no disk')", "OSError: no disk"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "import threading as t; t.Thread(target=t.Event().wait, args=(9,), name='idler', daemon=True).start()",
            "starts a Python thread (idler)",
        ),
        ("import understudy; understudy.ActorSystem()", "WrongProcess: an ActorSystem belongs to the parent process"),
    ],
)
def test_a_module_that_cannot_be_preloaded_is_refused_by_its_name(tmp_path, monkeypatch, source, why):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hopeless.py").write_text(source)
    with pytest.raises(ConfigError, match="preload: hopeless ") as raised:
        ActorSystem(preload=["hopeless"])
    assert why in str(raised.value)


@pytest.mark.fault("F7")
def test_a_module_whose_import_kills_the_zygote_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "deadly.py").write_text("import os; os._exit(3)")
    with pytest.raises(ConfigError, match="preload: the import of deadly ends the process"):
        ActorSystem(preload=["deadly"])


@pytest.mark.fault("F7")
def test_the_native_threads_of_numpy_are_let_be_and_its_actors_compute():
    script = (
        "import understudy\n"
        "def work():\n"
        "    import numpy, sys\n"
        "    return float((numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum())\n"
        "with understudy.ActorSystem(preload=['numpy']) as system:\n"
        "    print([system.spawn(work).result(30) for _ in range(3)])\n"
    )
    told = python("-c", script, env={"OPENBLAS_NUM_THREADS": "4"})
    assert told.stdout.strip() == str([27_000_000.0] * 3), told.stderr
    assert told.stderr == ""


@pytest.mark.requirement("P10")
@pytest.mark.fault("F10")
def test_a_preloaded_module_that_moves_the_zygote_moves_no_actor(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mover.py").write_text("import os; os.chdir('/'); os.environ['UNDERSTUDY_MOVED'] = 'yes'; os.umask(0)")
    with ActorSystem(preload=["mover"]) as system:
        assert system.spawn(os.getcwd).result(20) == str(tmp_path)
        assert system.spawn(os.getenv, "UNDERSTUDY_MOVED").result(20) is None
        assert system.spawn(os.umask, 0o77).result(20) != 0


@pytest.mark.requirement("P10")
def test_actors_of_a_zygote_that_has_numpy_draw_different_numbers():
    script = (
        "import understudy\n"
        "def draw():\n"
        "    import numpy, random\n"
        "    return random.random(), float(numpy.random.random())\n"
        "with understudy.ActorSystem(preload=['numpy', 'random']) as system:\n"
        "    drawn = [number for ref in [system.spawn(draw) for _ in range(4)] for number in ref.result(30)]\n"
        "    print(len(set(drawn)))\n"
    )
    told = python("-c", script)
    assert told.stdout.strip() == "8", told.stderr
