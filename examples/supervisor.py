"""Stopping, killing and restarting actors by name and by glob, with a table after each step.

    python examples/supervisor.py

Six actors count the lines of log files that they follow, as `tail -f | wc -l` would. They write into a folder what they
have seen when they are stopped; what is killed has no time for that.
"""

import sys
import tempfile
from pathlib import Path

from understudy import ActorKilled, ActorSystem, Observer, Process, Status, UnknownActor

NAMES = ("web/eu-1", "web/eu-2", "web/us-1", "db/main", "db/replica", "audit")


class Follower(Process):
    """Counts the lines that are added to a file, until it is told to stop."""

    def __init__(self, log: Path):
        self.log_file = log
        self.position = 0
        self.lines = 0
        self.config.lives = 2

    def __loop__(self):
        with self.log_file.open("rb") as log:
            log.seek(self.position)
            new = log.read()
        self.position += len(new)
        self.lines += new.count(b"\n")
        self.sleep(0.05)

    def __onfinish__(self):
        self.log_file.with_suffix(".seen").write_text(f"{self.lines}\n")

    def __result__(self):
        return self.lines


def show(title: str, system: ActorSystem, answers: object = "") -> None:
    print(f"\n{title}  {answers}\n{system.ps()}")


def restart(system: ActorSystem, name: str) -> None:
    """Restart an actor, and wait until its new process is up; `wait_ready` would be content with the first one."""
    life = system.info(name).incarnation
    with Observer(system.endpoint) as observer:
        system.restart(name)
        while (seen := observer.actors[name]).incarnation == life or seen.status is not Status.RUNNING:
            if observer.next(timeout=20) is None:
                raise TimeoutError(f"{name} does not come back: {seen}")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ActorSystem() as system:
        refs = {}
        for name in NAMES:
            log = Path(folder, name.replace("/", "-")).with_suffix(".log")
            log.write_text("first\nsecond\n")
            refs[name] = system.spawn(Follower, log, name=name)
        for ref in refs.values():
            ref.wait_ready(timeout=20)
        show("all six", system)

        # A stop is a wish: it returns at once, and is carried out in good order.
        answers = system.stop("web/eu-*")
        statuses = {name: str(refs[name].wait(timeout=20)) for name in answers}
        show("stop web/eu-*", system, statuses)
        print(f"web/eu-1 had counted {refs['web/eu-1'].result()} lines")

        # A kill is not: no last words, no result.
        answers = system.kill("web/us-1")
        try:
            refs["web/us-1"].result(timeout=20)
        except ActorKilled as error:
            print(f"\nkill web/us-1  {answers}\n{type(error).__name__}: {error}")

        # A restart keeps name and ref; the process is another.
        first = refs["audit"].info()
        restart(system, "audit")
        second = refs["audit"].info()
        same = "the same" if first.pid == second.pid else "another"
        show("restart audit", system, f"life {first.incarnation} -> {second.incarnation}, in {same} process")

        try:
            system.stop("db/mian")
        except UnknownActor as error:
            print(f"\nstop db/mian\n{type(error).__name__}: {error}")
        print(f"stop cache/*  {system.stop('cache/*')}")
        print(f"stop web/eu-1 once more  {system.stop('web/eu-1')}")

        statuses = {name: str(status) for name, status in system.cleanup().items()}
        print(f"\nthe rest, at the end  {statuses}")
        print(system.ps(all=True))
        print("wrote down what they saw:", *sorted(path.stem for path in Path(folder).glob("*.seen")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
