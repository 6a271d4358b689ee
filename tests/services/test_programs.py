"""Programs as actors: how they begin, what they are given, and what becomes of their exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from tests.services.casting import SLEEP, script, shell
from tests.stage import gone, noted, report_of, running, state_of, until
from understudy import (
    ActorDied,
    ActorKilled,
    ActorSystem,
    ConfigError,
    Exec,
    Health,
    NotAnActor,
    Process,
    StartError,
    StartTimeout,
    Status,
    UnknownField,
)


@pytest.mark.requirement("A1", "S6")
def test_its_result_is_its_exit_code_and_it_was_running_before(system):
    ref = system.spawn(shell("exit 0"), name="short")
    assert ref.result(20) == 0
    assert ref.wait() is Status.FINISHED
    assert any("ready: STARTING -> RUNNING" in line for line in system.story("short"))


def test_an_exit_code_other_than_0_is_a_crash_that_tells_its_last_words(system):
    ref = system.spawn(shell("echo nothing here >&2; echo no luck >&2; exit 3"), name="unlucky")
    with pytest.raises(ActorDied, match=r"^unlucky exited with code 3 \(incarnation 1\)$") as caught:
        ref.result(20)
    report = report_of(caught.value)
    assert (caught.value.exit_code, report.exit_code, report.lap) == (3, 3, 0)
    assert report.stderr == ("nothing here", "no luck")


def test_ok_codes_say_which_ones_are_right(system):
    refs = [system.spawn(shell(f"exit {code}", ok_codes={0, 7})) for code in (0, 7)]
    assert [ref.result(20) for ref in refs] == [0, 7]


def test_a_signal_is_a_crash_by_its_name(system):
    with pytest.raises(ActorDied, match=r"^victim was ended by SIGSEGV") as caught:
        system.spawn(shell("kill -SEGV $$"), name="victim").result(20)
    assert caught.value.signal == "SIGSEGV"


@pytest.mark.requirement("L1", "L2")
def test_each_life_begins_from_the_same_and_costs_one(system, tmp_path):
    line = 'echo "$WORD $(cat)" >> "$1"; test "$(wc -l < "$1")" -ge 3'
    ref = system.spawn(
        shell(line, tmp_path / "told", env={"WORD": "life"}, stdin="of input"),
        config={"lives": 5, "restart.backoff.base": 0},
    )
    assert ref.result(20) == 0
    assert noted(tmp_path / "told", 3) == ["life of input"] * 3
    assert [life.exit_code for life in ref.history()] == [1, 1, 0]
    assert ref.info().lives_left == 2


@pytest.mark.requirement("L5")
def test_backoff_and_quarantine_are_as_for_any_actor(system):
    ref = system.spawn(shell("exit 1"), config={"lives": 3, "restart.backoff.base": 0.01})
    with pytest.raises(ActorDied):
        ref.result(20)
    first, second, last = ref.history()
    assert [life.cause for life in (first, second, last)] == [
        f"{ref.name} exited with code 1 (incarnation {number})" for number in (1, 2, 3)
    ]


@pytest.mark.fault("F58")
def test_what_is_wrong_is_told_however_long_the_path_is_in_which_it_was_sought(system):
    long = system.spawn(Exec(["no-such-program"], env={"PATH": "/nowhere:" * 12_000 + "/last"}), config={"lives": 3})
    with pytest.raises(StartError, match=r"^FileNotFoundError: 'no-such-program' is nowhere in PATH \(/now.*/last\)"):
        long.wait_ready(20)
    with pytest.raises(StartError, match=r"^OSError: '/xxx.* … .*: File name too long"):
        system.spawn(Exec(["/" + "x" * 100_000])).wait_ready(20)


def test_a_limit_of_its_descriptors_holds_for_it_and_not_for_the_way_to_it(system):
    # Three standard ones, and those by which the loader reads its libraries, one at a time.
    assert system.spawn(Exec(["true"], limits={"nofile": 4})).result(20) == 0


@pytest.mark.fault("F58")
def test_a_program_that_is_missing_that_may_not_be_run_or_is_none_is_told_apart(system, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("nothing to run\n")
    plain = tmp_path / "plain"
    plain.write_text("nothing to run\n")
    plain.chmod(0o755)
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/nowhere/interpreter -x\n")
    orphan.chmod(0o755)
    cases = [
        (["no-such-program-anywhere"], "FileNotFoundError", r"'no-such-program-anywhere' is nowhere in PATH \(.*bin"),
        ([str(tmp_path / "gone")], "FileNotFoundError", r"there is no '.*gone'"),
        ([str(text)], "PermissionError", r"'.*notes.txt' may not be executed"),
        ([str(tmp_path)], "PermissionError", r"is a directory"),
        ([str(plain)], "OSError", r"'.*plain' is no program"),
        ([str(orphan)], "FileNotFoundError", r"but the interpreter, which its first line names \(#!/nowhere/interpr"),
    ]
    for number, (argv, kind, text_of_it) in enumerate(cases):
        ref = system.spawn(Exec(argv), name=f"f58/{number}", config={"lives": 5})
        with pytest.raises(StartError, match=rf"^{kind}: .*{text_of_it}.*\(while f58/{number} was beginning its prog"):
            ref.wait_ready(20)
        assert ref.wait(20) is Status.CRASHED
        assert len(ref.history()) == 1, "what is no program is none in its next life"


def test_what_it_is_given_that_it_cannot_have_is_told_as_such(system, tmp_path):
    wrong = [
        (Exec(["true"], cwd=tmp_path / "gone"), r"it cannot work in '.*gone': No such file"),
        (Exec(["true"], stdin=tmp_path / "gone"), r"what it is to read cannot be opened: No such file"),
        (Exec(["true"], limits={"nofile": (2**40, 2**40)}), r"its limit of nofile cannot be 1099511627776, 1099511"),
        (Exec(["true"], limits={"nofile": None}), r"its limit of nofile cannot be unlimited: "),
    ]
    for program, told in wrong:
        with pytest.raises(StartError, match=told):
            system.spawn(program).result(20)


def test_it_is_begun_where_and_as_it_is_said(system, kept, tmp_path):
    (tmp_path / "given").write_text("from a file")
    line = 'echo "$ADDED"; echo "${HOME-gone}"; pwd; umask; ulimit -Sn; ulimit -Hn; cat; echo; echo "$1"'
    program = shell(
        line,
        "an argument with 'blanks'",
        env={"ADDED": "a variable", "HOME": None},
        cwd=tmp_path,
        umask=0o027,
        limits={"nofile": (61, 77)},
        stdin=tmp_path / "given",
    )
    assert system.spawn(program, name="dressed").result(20) == 0
    told = (kept / "dressed" / "stdout").read_text().splitlines()
    assert told == ["a variable", "gone", str(tmp_path), "0027", "61", "77", "from a file", "an argument with 'blanks'"]
    assert system.ref("dressed").info().command.endswith("'an argument with '\"'\"'blanks'\"'\"''")


def test_it_has_the_directory_environment_and_umask_of_the_spawn(system, kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_SPAWN", "here")
    before = os.umask(0o077)
    try:
        ref = system.spawn(shell('echo "$OF_THE_SPAWN"; pwd; umask; test -t 0 || cat'), name="placed")
    finally:
        os.umask(before)
    assert ref.result(20) == 0
    assert (kept / "placed" / "stdout").read_text().splitlines() == ["here", str(tmp_path), "0077"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run a program as somebody else")
def test_it_runs_as_another_user_and_writes_to_its_files_all_the_same(system, kept):
    assert system.spawn(Exec(["id", "-un"], user="nobody"), name="nobody").result(20) == 0
    assert (kept / "nobody" / "stdout").read_text() == "nobody\n"
    held = system.spawn(Exec(["sleep", "600"], user="nobody"))
    held.wait_ready(20)
    held.stop()
    assert held.wait(20) is Status.FINISHED


def test_no_pidfd_of_a_program_passes_to_what_the_user_starts(system):
    held = system.spawn(SLEEP)
    held.wait_ready(20)
    passed = subprocess.run(
        ["sh", "-c", "ls -l /proc/$$/fd"], close_fds=False, capture_output=True, text=True, check=True
    )
    assert "pidfd" not in passed.stdout


def test_nothing_of_ours_passes_through_but_the_leash(system, kept):
    code = """
import os, signal
print([fd for fd in range(100) if os.path.exists(f"/proc/self/fd/{fd}")])
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
for line in open("/proc/self/status"):
    if line.startswith("SigIgn"):
        own = (signal.SIGPIPE, signal.SIGXFSZ, 32, 33)
        print(int(line.split()[1], 16) & ~sum(1 << number - 1 for number in own))
print(os.getsid(0) == os.getpgid(0) == os.getpid())
"""
    assert system.spawn(script(code), name="clean").result(20) == 0
    # The descriptor by which it lists them is open no more when it looks. Python itself ignores SIGPIPE and SIGXFSZ,
    # and what `posix_spawn` has begun the two signals that the C library keeps for its threads.
    assert (kept / "clean" / "stdout").read_text().splitlines() == ["[0, 1, 2]", "[]", "0", "True"]


@pytest.mark.requirement("H1", "H2")
def test_it_is_listed_with_its_figures_and_is_healthy_while_it_lives(system):
    ref = system.spawn(shell("sleep 600 & wait"), name="listed")
    running(ref)
    until(lambda: ref.info().threads == 2, 20, "both of its processes")
    info = ref.info()
    assert (info.status, info.health, info.os_status) == (Status.RUNNING, Health.HEALTHY, "sleeping")
    assert (info.command.partition(" ")[0], info.section, info.lap, info.heartbeat_age) == ("sh", "", 0, None)
    assert info.memory_mb > 0
    assert info.mailbox_depth is None
    assert ref.healthy()
    assert [row.name for row in system.ps()] == ["listed"]
    assert "it is a program" in ref.stacks()
    os.kill(info.pid, signal.SIGKILL)
    assert ref.wait(20) is Status.CRASHED
    assert not ref.healthy()


@pytest.mark.requirement("A8")
def test_a_pause_stops_its_whole_group_and_a_resume_lets_it_go_on(system, tmp_path):
    ref = system.spawn(shell('sleep 600 & echo $! >> "$1"; wait', tmp_path / "told"))
    child = int(noted(tmp_path / "told")[0])
    running(ref)
    pids = (ref.info().pid, child)
    assert ref.pause() == "asked"
    until(lambda: [state_of(pid) for pid in pids] == ["T", "T"], 20, "both standing still")
    assert ref.info().paused
    assert ref.pause() == "already"
    assert ref.resume() == "asked"
    until(lambda: [state_of(pid) for pid in pids] == ["S", "S"], 20, "both going on")
    assert not ref.info().paused


@pytest.mark.requirement("A8")
def test_a_pause_stands_over_its_lives_and_a_stop_ends_it(system):
    ref = system.spawn(SLEEP)
    running(ref)
    ref.pause()
    ref.restart()
    until(lambda: ref.info().incarnation == 2 and ref.info().status is Status.RUNNING, 20, "its second life")
    until(lambda: state_of(ref.info().pid) == "T", 20, "that one standing still, too")
    ref.stop()
    assert ref.result(20) == -signal.SIGTERM


@pytest.mark.requirement("A8", "K1")
def test_a_stop_wakes_one_that_stands_still_by_itself_too(system):
    ref = system.spawn(shell("kill -STOP $$; sleep 600"))
    until(lambda: ref.info().os_status == "stopped", 20, "its own stop")
    ref.stop()
    assert ref.result(20) == -signal.SIGTERM


def test_who_speaks_to_it_or_configures_it_is_told_that_it_is_a_program(system):
    ref = system.spawn(SLEEP, name="deaf")
    for speak in (lambda: ref.tell("hello"), lambda: ref.ask("hello", timeout=20)):
        with pytest.raises(NotAnActor, match=r"^deaf is a program and takes no messages"):
            speak()
    with pytest.raises(ConfigError, match=r"^deaf is a program: it hears no orders"):
        system.configure("*", {"num_loops": 3})
    with pytest.raises(ConfigError, match=r"^deaf is a program; a Process cannot take its place"):
        system.restart("deaf", target=print)
    assert ref.info().incarnation == 1


def test_another_program_may_take_its_place(system):
    ref = system.spawn(SLEEP, name="role")
    running(ref)
    assert system.restart("role", target=shell("exit 0")) == {"role": "asked"}
    assert ref.result(20) == 0
    assert ref.info().command == "sh -c 'exit 0' sh"
    system.restart("role")
    anew = system.ref("role")
    assert (anew.result(20), anew.info().command, anew.uid != ref.uid) == (0, ref.info().command, True)


@pytest.mark.requirement("S1")
def test_what_a_program_has_no_use_for_is_refused_in_the_caller(system):
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"host": "spawn"}, ConfigError, r"^host='spawn': a program is begun by the zygote"),
        (
            {"config": {"num_loops": 3}},
            ConfigError,
            r"^num_loops=3: a program has no use for it; it has join_in, ",
        ),
        ({"config": {"heartbeat.interval": 9}}, ConfigError, r"^heartbeat.interval=9.0: a program has no use for it"),
        ({"config": {"livse": 3}}, UnknownField, r"did you mean 'lives'"),
        ({"timeout": 3}, NotAnActor, r"^for an Exec, whose argv has its arguments, spawn takes wait= alone"),
    ]
    for options, error, words in cases:
        with pytest.raises(error, match=words):
            system.spawn(SLEEP, **options)
    assert system.ps() == []


def test_settings_that_mean_something_for_it_hold(system):
    ref = system.spawn(SLEEP, config={"join_in": 0.2, "timeouts.startup": 20, "sampling.pss": False})
    assert ref.result(20) == -signal.SIGTERM
    assert ref.info().config["output"] == "file"


@pytest.mark.requirement("A6")
def test_an_actor_spawns_a_program_that_ends_with_it(system):
    class Boss(Process):
        def __preloop__(self):
            if self.current_lap == 1:
                self.hand = self.spawn(Exec(["sleep", "600"]), name="hand")
                self.hand.wait_ready(20)

        def __loop__(self):
            self.sleep(600)

    boss = system.spawn(Boss, name="boss")
    running(boss)
    hand = until(boss.children, 20, "its program")[0]
    running(hand)
    pid = hand.info().pid
    assert hand.info().parent == "boss"
    boss.stop()
    boss.wait(20)
    gone(pid)
    assert hand.wait(20) is Status.FINISHED


def test_replicas_and_groups_are_made_of_programs_as_of_anything(system):
    crew = system.spawn(SLEEP, replicas=3, name="crew")
    for ref in crew:
        running(ref)
    assert [row.name for row in system.ps()] == ["crew/1", "crew/2", "crew/3"]
    group = system.group("pair", strategy="one_for_all")
    first, second = (group.spawn(SLEEP, name=name) for name in ("first", "second"))
    running(first, second)
    os.kill(first.info().pid, signal.SIGKILL)
    until(lambda: [ref.info().incarnation for ref in (first, second)] == [2, 2], 20, "both beginning anew")
    running(first, second)


def test_one_that_is_not_begun_in_time_is_ended(system, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ref = system.spawn(Exec(["true"], stdin=fifo), name="slow", config={"timeouts.startup": 0.2})
    with pytest.raises(StartTimeout, match=r"^slow was not READY within 0.2 s; it was beginning its program"):
        ref.result(20)


def test_a_kill_is_an_end_without_a_result(system):
    ref = system.spawn(SLEEP, name="doomed")
    running(ref)
    ref.kill()
    with pytest.raises(ActorKilled):
        ref.result(20)


@pytest.mark.fault("F64")
def test_a_file_that_cannot_be_had_keeps_no_program_from_its_start(system, kept, caplog):
    (kept / "shut" / "stdout").mkdir(parents=True)
    ref = system.spawn(shell("echo to stderr >&2"), name="shut")
    assert ref.result(20) == 0
    assert (kept / "shut" / "stderr").read_text() == "to stderr\n"
    told = until(lambda: [one.getMessage() for one in caplog.records if one.name == "understudy.actor.shut"], 20)
    assert told[0].startswith(f"{kept / 'shut' / 'stdout'} cannot be opened, and stdout stays the parent's: ")


@pytest.mark.fault("F64")
def test_files_that_are_moved_away_are_made_anew_by_the_next_life_and_block_nobody(system, kept):
    ref = system.spawn(shell("echo begun; exec sleep 600"), name="moved")
    until(lambda: (kept / "moved" / "stdout").exists() and (kept / "moved" / "stdout").read_text(), 20, "its word")
    (kept / "moved").rename(kept / "away")
    ref.restart()
    until(lambda: (kept / "moved" / "stdout").exists() and (kept / "moved" / "stdout").read_text(), 20, "its next word")
    assert (kept / "away" / "stdout").read_text() == "begun\n"


def test_it_writes_where_the_parent_does_if_it_is_told_to(capfd):
    with ActorSystem() as system:  # in here, for what is captured is another file before
        ref = system.spawn(shell("echo to the parent"), config={"output": "inherit"})
        assert ref.result(20) == 0
    assert capfd.readouterr().out == "to the parent\n"
