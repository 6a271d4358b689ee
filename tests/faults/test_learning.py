"""The zygote that learns: what actors had to import is known to the next, where forks of it would be as good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.stage import alive, descendants, note, noted, until
from understudy import ActorSystem
from understudy.spawners import circumstances, generation

PLAIN = """
import os
import understudy

IMPORTED_BY = os.getpid()
WORD = os.environ.get("UNDERSTUDY_WORD")

def tell():
    return IMPORTED_BY, os.getpid(), os.getppid(), WORD

class Waits(understudy.Process):
    def __loop__(self):
        self.sleep(600)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module and imports it, as a user's program does; gone from this process afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    written: list[str] = []

    def write(source, name=None):
        name = name or f"taught_{os.getpid()}_{threading.get_ident()}_{len(written)}"
        (tmp_path / f"{name}.py").write_text(source)
        written.append(name)
        return __import__(name)

    yield write
    for name in written:
        sys.modules.pop(name, None)


def spawner(system):
    return system._world.spawners["process"]


def learned(system):
    """The number of the zygote that has taken over, once one has."""
    return until(lambda: spawner(system)._learned, 30, "the end of a lesson").pid


def refused(system, package):
    return until(lambda: spawner(system)._curriculum.refused.get(package), 30, f"a verdict on {package}")


def test_what_the_first_had_to_import_the_next_finds_imported(system, module):
    plain = module(PLAIN)
    by, me, _, _ = system.spawn(plain.tell).result(20)
    assert by == me  # imported by the actor itself
    zygote = learned(system)
    by, me, parent, _ = system.spawn(plain.tell).result(20)
    assert by == zygote == parent != me


def test_a_module_learned_serves_the_lives_after_a_crash_too(system, module, tmp_path):
    plain = module(PLAIN)
    ref = system.spawn(plain.Waits, config={"lives": 2})
    ref.wait_ready(20)
    zygote = learned(system)
    os.kill(ref.info().pid, signal.SIGKILL)
    until(lambda: ref.info().incarnation == 2 and ref.info().status == "RUNNING", 20, "the next life")
    assert ref.info().pid in descendants(zygote)


def test_the_first_zygote_stays_and_one_that_was_followed_goes_when_its_last_actor_has_ended(system, module):
    first, second = module(PLAIN), module(PLAIN)
    (root,) = spawner(system).pids
    system.spawn(first.tell).wait(20)
    followed = learned(system)
    held = system.spawn(first.Waits)
    held.wait_ready(20)
    until(lambda: system.spawn(second.tell).result(20)[0] in spawner(system).pids, 20, "what the second lesson taught")
    assert learned(system) != followed
    assert alive(followed)  # an actor of its lives
    assert held.info().pid in descendants(followed)
    held.stop()
    held.wait(20)
    until(lambda: not alive(followed), 20, "the end of the one that was followed")
    assert alive(root)
    assert system.spawn(second.tell).result(20)[0] == learned(system)


@pytest.mark.requirement("P10")
@pytest.mark.fault("F10")
def test_a_place_of_its_own_gets_an_import_of_its_own(system, module, monkeypatch):
    plain = module(PLAIN)
    monkeypatch.setenv("UNDERSTUDY_WORD", "one")
    assert system.spawn(plain.tell).result(20)[3] == "one"
    learned(system)
    assert system.spawn(plain.tell).result(20)[3] == "one"
    monkeypatch.setenv("UNDERSTUDY_WORD", "two")
    by, me, _, word = system.spawn(plain.tell).result(20)
    assert (by, word) == (me, "two")


LEFT = {
    "a thread": "import threading; threading.Thread(target=threading.Event().wait, args=(600,), daemon=True).start()",
    "a descriptor": "FILE = open('/dev/null')",
    "a process": "import subprocess; subprocess.Popen(['sleep', '600'])",
    "shared memory": "import mmap; MAP = mmap.mmap(-1, 4096)",
    "a setting of the whole process": "import socket; socket.setdefaulttimeout(60)",
    "replaces json.dumps": "import json; json.dumps = repr",
    "a signal handler": "import signal; signal.signal(signal.SIGUSR1, lambda *_: None)",
    "something to do at exit": "import atexit; atexit.register(os.getpid)",
    "changes the directory, the environment": "os.environ['UNDERSTUDY_WORD'] = str(os.getpid())",
    "OSError: not here": "if 'not born' in understudy.runtime.inside.name: raise OSError('not here')",
    "SystemExit: 3": "if 'not born' in understudy.runtime.inside.name: raise SystemExit(3)",
    "ended the process": "if 'not born' in understudy.runtime.inside.name: os._exit(3)",
}


def elsewhere(source):
    """The source, for other processes than this one."""
    return f"if os.getpid() != {os.getpid()}:\n    " + "\n    ".join(source.split("; "))


@pytest.mark.parametrize(("why", "source"), LEFT.items())
def test_a_module_that_forks_could_not_share_is_imported_by_each_actor(system, module, monkeypatch, why, source):
    monkeypatch.delenv("UNDERSTUDY_WORD", raising=False)
    plain = module(f"{PLAIN}\n{elsewhere(source)}\n")
    system.spawn(plain.tell).wait(20)
    assert why in refused(system, plain.__name__)
    by, me, _, _ = system.spawn(plain.tell).result(20)
    assert by == me
    assert spawner(system)._learned is None or plain.__name__ not in spawner(system)._learned.known


def test_what_speaks_against_one_package_keeps_no_other_from_being_learned(system, module):
    noisy = module(f"import os\n{elsewhere(LEFT['a descriptor'])}\ndef f(): pass\n")
    plain = module(f"{PLAIN}\ndef both(*_):\n    return tell()\n")
    system.spawn(plain.both, noisy.f).wait(20)
    assert refused(system, noisy.__name__)
    by, _, parent, _ = until(
        lambda: (told := system.spawn(plain.both, noisy.f).result(20))[0] != told[1] and told,
        20,
        "what is left to learn",
    )
    assert by == parent == learned(system)


@pytest.mark.requirement("P10")
def test_a_module_that_opens_a_system_as_it_is_imported_is_refused_in_the_lesson_as_in_an_actor(
    system, module, tmp_path
):
    plain = module(
        f"{PLAIN}\n"
        f"if os.getpid() != {os.getpid()}:\n"
        "    try:\n"
        "        understudy.ActorSystem()\n"
        "    except understudy.WrongProcess as error:\n"
        f"        with open({str(tmp_path / 'told')!r}, 'a') as file: print(error, file=file)\n"
    )
    system.spawn(plain.tell).wait(20)
    learned(system)
    assert all("belongs to the parent process, not inside" in line for line in noted(tmp_path / "told", 2))


def test_modules_are_learned_in_the_order_in_which_an_actor_imports_them(system, module):
    register = module("WORDS = []\n")
    first, second = (
        module(f"import {register.__name__}\n{register.__name__}.WORDS.append({word!r})\ndef touch(*_): pass\n")
        for word in ("first", "second")
    )
    plain = module(f"{PLAIN}\nimport {register.__name__}\ndef words(*_): return {register.__name__}.WORDS, tell()\n")
    words, (by, me, _, _) = system.spawn(plain.words, second.touch, first.touch).result(20)
    assert (words, by) == (["second", "first"], me)
    zygote = learned(system)
    words, (by, me, _, _) = system.spawn(plain.words, second.touch, first.touch).result(20)
    assert (words, by) == (["second", "first"], zygote)


@pytest.mark.requirement("P10")
def test_a_directory_is_told_from_another_of_its_name(system, module, tmp_path, monkeypatch):
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    assert system.spawn(os.stat, ".").result(20).st_ino == os.stat(".").st_ino
    os.rename(tmp_path / "current", tmp_path / "old")
    (tmp_path / "current").mkdir()
    os.chdir(tmp_path / "current")
    for _ in range(2):
        assert system.spawn(os.stat, ".").result(20).st_ino == os.stat(".").st_ino


@pytest.mark.fault("F9")
def test_an_apprentice_that_was_given_up_before_it_began_harms_nobody(module, tmp_path, monkeypatch):
    monkeypatch.setattr(generation, "HELLO_WITHIN", 1.0)
    plain = module(PLAIN)
    with ActorSystem() as system:
        living = system.spawn(plain.Waits, host="spawn")
        other = system.spawn(time.sleep, 600)
        living.wait_ready(20)
        other.wait_ready(20)
        (zygote,) = spawner(system).pids
        os.kill(zygote, signal.SIGSTOP)
        spawner(system).learn(circumstances.place(), [plain.__name__])
        until(
            lambda: plain.__name__ in spawner(system)._curriculum._wanted or spawner(system)._apprentice, 20, "a wish"
        )
        until(lambda: spawner(system)._apprentice is None, 20, "the giving up")
        os.kill(zygote, signal.SIGCONT)
        until(lambda: system.spawn(os.getpid).result(20), 20, "a spawn")
        assert [ref.info().status for ref in (living, other)] == ["RUNNING"] * 2
        assert os.path.isdir(system.endpoint.removeprefix("ipc://"))
        system.kill("*")


def test_what_a_module_writes_as_it_is_learned_is_not_written_again_by_each_actor(module, tmp_path, capfd):
    with ActorSystem() as system:
        plain = module(f"{PLAIN}\nprint('imported', flush=False)\n")
        system.spawn(plain.tell).wait(20)
        learned(system)
        capfd.readouterr()
        system.wait_all([system.spawn(plain.tell) for _ in range(3)], timeout=30)
    assert "imported" not in capfd.readouterr().out


@pytest.mark.fault("F8")
def test_a_zygote_that_learned_and_is_killed_costs_no_life_and_the_first_serves_on(system, module, tmp_path):
    plain = module(PLAIN)
    system.spawn(plain.tell).wait(20)
    zygote = learned(system)
    living = [system.spawn(plain.Waits) for _ in range(5)]
    for ref in living:
        ref.wait_ready(20)
    pids = [ref.info().pid for ref in living]
    os.kill(zygote, signal.SIGKILL)
    until(lambda: spawner(system)._learned is None or learned(system) != zygote, 20, "the news of its death")
    assert system.spawn(plain.tell).result(20)
    assert [ref.info().pid for ref in living] == pids
    assert {ref.info().incarnation for ref in living} == {1}
    system.stop("*")
    assert set(system.wait_all(living, timeout=20).values()) <= {"FINISHED"}


@pytest.mark.requirement("K5")
def test_zygotes_that_learned_die_with_their_parent(module, tmp_path):
    source = tmp_path / "parent.py"
    module(PLAIN, "taught_orphan")
    source.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import taught_orphan, understudy\n"
        "system = understudy.ActorSystem()\n"
        "system.spawn(taught_orphan.tell).wait(20)\n"
        "spawner = system._world.spawners['process']\n"
        "while spawner._learned is None: time.sleep(0.01)\n"
        "ref = system.spawn(taught_orphan.Waits)\n"
        "ref.wait_ready(20)\n"
        "print(*spawner.pids, ref.info().pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        parent.kill()
        until(lambda: not any(map(alive, pids)), 20, "the end of all")


def test_a_system_that_is_told_so_does_not_learn(module):
    with ActorSystem(learn=False) as system:
        plain = module(PLAIN)
        for _ in range(2):
            by, me, _, _ = system.spawn(plain.tell).result(20)
            assert by == me
        assert len(spawner(system).pids) == 1
        assert spawner(system)._apprentice is None


def test_nothing_is_learned_where_every_process_is_a_fresh_interpreter(system, module):
    plain = module(PLAIN)
    for _ in range(2):
        by, me, _, _ = system.spawn(plain.tell, host="spawn").result(20)
        assert by == me
    assert spawner(system)._apprentice is None
    assert spawner(system)._learned is None


def test_an_actor_that_is_being_born_as_the_zygotes_change_comes_up_once(system, module, tmp_path):
    plain = module(
        f"{PLAIN}\nclass Notes(Waits):\n    def __preloop__(self):\n"
        f"        os.write(os.open({str(tmp_path / 'born')!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'x\\n')\n"
        "        self.stop()\n"
    )
    refs = [system.spawn(plain.Notes) for _ in range(60)]
    assert set(system.wait_all(refs, timeout=60).values()) == {"FINISHED"}
    learned(system)
    assert len(noted(tmp_path / "born", 60)) == 60
    note(tmp_path / "born", "end")
    assert len(noted(tmp_path / "born", 61)) == 61
