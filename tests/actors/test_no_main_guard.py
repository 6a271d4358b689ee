"""Classes from scripts, `-c`, stdin, the REPL, pytest, and modules that spawn at import: no main guard anywhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap

import pytest

from tests.stage import notes, python

pytestmark = pytest.mark.requirement("P10")

# Everything of it is made in the module itself: a class, its base, a function, a lambda, a global, an enum.
SCRIPT = """\
import enum, os
from understudy import ActorSystem, Process

with open(os.environ["RAN"], "a") as file:
    print("the script ran", __name__, file=file)

class Colour(enum.Enum):
    RED = 1

FACTOR = 2

def twice(number):
    return FACTOR * number

class Base(Process):
    def __loop__(self):
        self.value = self.apply(twice(self.value))
        self.stop()

class Worker(Base):
    def __init__(self, value):
        self.value = value
        self.apply = lambda number: number + 1
        self.colour = Colour.RED

    def __result__(self):
        return self.value, self.colour

with ActorSystem() as system:
    for host in ("process", "spawn"):
        value, colour = system.spawn(Worker, 20, host=host).result(20)
        print("answer", value, colour is Colour.RED, system.spawn(twice, 4, host=host).result(20))
"""
DEFINITIONS = SCRIPT.partition("with ActorSystem")[0]
ANSWER = "answer 41 True 8"


@pytest.fixture
def surroundings(tmp_path):
    return {"RAN": str(tmp_path / "ran")}


def check(done, surroundings, name="__main__"):
    assert (done.stdout.splitlines()[:2], done.returncode) == ([ANSWER, ANSWER], 0), done.stderr
    assert "Traceback" not in done.stderr
    assert notes(surroundings["RAN"]) == [f"the script ran {name}"]


def test_a_plain_script(tmp_path, surroundings):
    (tmp_path / "script.py").write_text(SCRIPT)
    check(python("script.py", cwd=tmp_path, env=surroundings), surroundings)


def test_a_script_that_changes_its_directory_first(tmp_path, surroundings):
    (tmp_path / "script.py").write_text("import os; os.chdir('/')\n" + SCRIPT)
    check(python("script.py", cwd=tmp_path, env=surroundings), surroundings)


def test_a_command_line(tmp_path, surroundings):
    check(python("-c", SCRIPT, cwd=tmp_path, env=surroundings), surroundings)


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_standard_input(tmp_path, surroundings, arguments):
    check(python(*arguments, stdin=SCRIPT, cwd=tmp_path, env=surroundings), surroundings)


def test_a_package_that_is_run(tmp_path, surroundings):
    (tmp_path / "company").mkdir()
    (tmp_path / "company" / "__init__.py").write_text("")
    (tmp_path / "company" / "__main__.py").write_text(SCRIPT)
    check(python("-m", "company", cwd=tmp_path, env=surroundings), surroundings)


def test_an_interpreter_with_options(tmp_path, surroundings):
    (tmp_path / "script.py").write_text(SCRIPT)
    flags = ("-P", "-s", "-B", "-X", "utf8", "-W", "error")
    check(python(*flags, "script.py", cwd=tmp_path, env=surroundings), surroundings)


def typed(script):
    """As it would be typed: a blank line ends each block."""
    lines: list[str] = []
    for line in script.splitlines():
        if line and not line[0].isspace() and lines and lines[-1].startswith(" "):
            lines.append("")
        if line:
            lines.append(line)
    return "\n".join(lines) + "\n\n"


def test_a_repl_fed_by_a_pipe(tmp_path, surroundings):
    surroundings["HOME"] = str(tmp_path)
    done = python("-i", "-q", stdin=typed(SCRIPT), cwd=tmp_path, env=surroundings)
    assert done.stdout.count(ANSWER) == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert notes(surroundings["RAN"]) == ["the script ran __main__"]


def test_a_repl_at_a_terminal(tmp_path, surroundings):
    ours, theirs = pty.openpty()
    environment = {**os.environ, **surroundings, "HOME": str(tmp_path), "TERM": "dumb"}
    shell = subprocess.Popen(
        [sys.executable, "-q"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment
    )
    os.close(theirs)
    shown = b""
    try:
        for line in (typed(SCRIPT) + "exit()\n").splitlines(keepends=True):
            # Line by line, each after its prompt: a terminal holds no more than it has room for.
            while not shown.endswith((b">>> ", b"... ")):
                shown += os.read(ours, 4096)
            shown += b"\n"
            os.write(ours, line.encode())
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # nobody is at the other end any more
                break
        assert shell.wait(20) == 0
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    assert shown.count(ANSWER.encode()) == 2, shown.decode(errors="replace")
    assert b"Traceback" not in shown
    assert notes(surroundings["RAN"]) == ["the script ran __main__"]


def test_a_test_module_under_pytest(tmp_path, surroundings):
    module = DEFINITIONS + textwrap.dedent("""
        import pytest

        @pytest.mark.parametrize("host", ["process", "spawn"])
        def test_worker(host):
            with ActorSystem() as system:
                value, colour = system.spawn(Worker, 20, host=host).result(20)
            assert (value, colour) == (41, Colour.RED)
    """)
    (tmp_path / "test_theirs.py").write_text(module)
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py", cwd=tmp_path, env=surroundings)
    assert "2 passed" in done.stdout, done.stdout
    assert notes(surroundings["RAN"]) == ["the script ran test_theirs"]


def test_a_module_that_spawns_at_its_import(tmp_path, surroundings):
    (tmp_path / "spawns.py").write_text(SCRIPT)
    main = """
        import spawns
        with spawns.ActorSystem() as system:
            print("later", system.spawn(spawns.Worker, 1).result(20)[0])
    """
    (tmp_path / "main.py").write_text(textwrap.dedent(main))
    done = python("main.py", cwd=tmp_path, env=surroundings)
    check(done, surroundings, "spawns")
    assert done.stdout.splitlines()[2] == "later 3"


def test_a_package_that_spawns_a_class_of_one_of_its_modules_at_its_import(tmp_path, surroundings):
    package = tmp_path / "company"
    package.mkdir()
    (package / "worker.py").write_text(DEFINITIONS)
    (package / "__init__.py").write_text("from company.worker import *\n" + SCRIPT.removeprefix(DEFINITIONS))
    main = """
        import company
        with company.ActorSystem() as system:
            print("later", system.spawn(company.Worker, 1).result(20)[0])
    """
    (tmp_path / "main.py").write_text(textwrap.dedent(main))
    done = python("main.py", cwd=tmp_path, env=surroundings)
    check(done, surroundings, "company.worker")
    assert done.stdout.splitlines()[2] == "later 3"


def test_a_module_that_starts_a_free_standing_process_at_its_import(tmp_path, surroundings):
    module = DEFINITIONS + "worker = Worker(20)\nworker.start()\nVALUE = worker.result(20)[0]\n"
    (tmp_path / "starts.py").write_text(module)
    done = python("-c", "import starts; print(starts.VALUE)", cwd=tmp_path, env=surroundings)
    assert (done.stdout, done.stderr) == ("41\n", "")
    assert notes(surroundings["RAN"]) == ["the script ran starts"]


SPAWNS = ["ActorSystem()", "Worker().start()", "ActorSystem.default().spawn(Worker)"]


@pytest.mark.parametrize("spawn", SPAWNS)
def test_a_spawn_reached_while_a_child_opens_its_state_is_refused_and_names_the_module(tmp_path, spawn):
    module = f"""
        import os
        from understudy import ActorSystem, Process

        class Worker(Process):
            def __loop__(self):
                self.stop()

        if "AT_IMPORT" in os.environ:
            {spawn}
    """
    (tmp_path / "trap.py").write_text(textwrap.dedent(module))
    main = """
        import os, trap
        with trap.ActorSystem() as system:
            os.environ["AT_IMPORT"] = "yes"
            for host in ("process", "spawn"):
                error = system.spawn(trap.Worker, name="caught", host=host).exception(20)
                print(type(error).__name__, type(error.__cause__).__name__, error)
    """
    done = python("-c", textwrap.dedent(main), cwd=tmp_path)
    told = done.stdout.splitlines()
    assert len(told) == 2, done.stderr
    for line in told:
        assert line.startswith("StartError WrongProcess WrongProcess: ")
        assert line.endswith(
            "not inside the actor caught while it imports trap (while caught was opening its state, incarnation 1)"
        )


def test_many_actors_of_a_script_go_by_value_and_see_the_module_as_it_was(tmp_path):
    script = """
        from understudy import ActorSystem
        STATE = {"count": 0}
        def count():
            STATE["count"] += 1
            return STATE["count"]
        with ActorSystem() as system:
            refs = []
            for STATE["count"] in (10, 20, 30):
                refs.append(system.spawn(count))
            print([ref.result(20) for ref in refs], STATE)
    """
    done = python("-c", textwrap.dedent(script), cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("[11, 21, 31] {'count': 30}\n", "")
