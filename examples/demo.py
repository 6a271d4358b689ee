"""An index of all names in Python's standard library, made by four actors, two of which are lost amid the work.

    make demo            (or: python examples/demo.py [FOLDER], for the .py files of another folder)

The actors share out the .py files of the very interpreter that runs this. Each counts the names in its files, tells
how far it is, and hands back its part of the index. Meanwhile one of them is ended by a SIGKILL from outside, and
another waits for a lock that nobody will release. Both are replaced. A replacement begins with the state that was
spawned, so it reads its whole share again: nothing is missing from the index, and nothing is counted twice.

While they work, `live_view.py` shows them from a process of its own. At the end, the index is compared with the one
that this process makes alone: the exit code is 0 only if they are equal, and if the two accidents did happen.
"""

import keyword
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import tokenize
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from understudy import ActorRef, ActorSystem, Observer, Process, Status

LIBRARY = Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("stdlib"))
VIEW = Path(__file__).with_name("live_view.py")

ACTORS = 4
BATCH = 4  # files a lap
LAP_MAY_TAKE = 3.0  # seconds; what takes longest by itself is 0.1
HANGS, HANGS_AT = 2, 0.25  # which actor, and at what part of its laps
DIES, DIES_AT = 3, 40.0  # which actor, and at how many percent of its work
PATIENCE = 120.0

Index = dict[str, dict[str, int]]
"""Name -> file -> how often."""

NO_PYTHON = "<no Python>"
"""In place of a name, for files that cannot be read as Python: the library's tests have some on purpose."""


def library_files() -> list[str]:
    """All sources of the standard library, seen from its folder; what was installed into it is left out."""
    found = (path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py"))
    return sorted(str(path) for path in found if not {"site-packages", "dist-packages"} & set(path.parts))


def add_file(index: Index, file: str) -> None:
    try:
        with (LIBRARY / file).open("rb") as source:
            tokens = tokenize.tokenize(source.readline)
            names = Counter(token.string for token in tokens if token.type == tokenize.NAME)
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        names = Counter({NO_PYTHON: 1})
    for name, times in names.items():
        if not keyword.iskeyword(name):
            index.setdefault(name, {})[file] = times


def merge(parts: list[Index]) -> Index:
    whole: Index = {}
    for part in parts:
        for name, files in part.items():
            whole.setdefault(name, {}).update(files)
    return whole


class Indexer(Process):
    """Indexes its share of the files, a batch each lap."""

    def __init__(self, files: list[str], *, hangs_at: float | None = None):
        self.files = files
        self.index: Index = {}
        self.config.num_loops = -(-len(files) // BATCH)
        self.config.lives = 3
        self.config.timeouts.loop = LAP_MAY_TAKE
        self.hanging_lap = None if hangs_at is None else int(self.config.num_loops * hangs_at)

    def __loop__(self):
        # Only the first life hangs: a bug that comes back each time would take all three.
        if self.current_lap == self.hanging_lap and self.incarnation == 1:
            self.wait_for_nobody()
        done = (self.current_lap - 1) * BATCH
        for file in self.files[done : done + BATCH]:
            add_file(self.index, file)
            done += 1
        self.progress(done, len(self.files), note=self.files[done - 1])

    def __result__(self):
        return self.index

    def wait_for_nobody(self):
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()


@dataclass
class Diary:
    """When what happened, in seconds since the epoch."""

    killed_at: float | None = None
    lost_at: dict[str, float] = field(default_factory=dict)
    back_at: dict[str, float] = field(default_factory=dict)


def spawn_all(system: ActorSystem, files: list[str]) -> list[ActorRef[Indexer]]:
    """Every actor gets each fourth file: big and small ones are spread evenly then."""
    return [
        system.spawn(
            Indexer, files[number::ACTORS], hangs_at=HANGS_AT if number == HANGS else None, name=f"indexer-{number}"
        )
        for number in range(ACTORS)
    ]


def follow(system: ActorSystem, refs: list[ActorRef[Indexer]]) -> Diary:
    """Watch until all have ended, and kill one on the way.

    The parent sees its actors through the same stream as any other process: that is where its times come from.
    """
    diary, victim = Diary(), refs[DIES]
    until = time.monotonic() + PATIENCE
    with Observer(system.endpoint) as observer:
        while not all(ref.done() for ref in refs):
            event = observer.next(timeout=1.0)
            if event is not None and event.kind == "state":
                if event.after == Status.RESTARTING:
                    diary.lost_at.setdefault(event.name, event.time)
                elif event.after == Status.RUNNING and event.incarnation > 1:
                    diary.back_at.setdefault(event.name, event.time)
            seen = observer.actors.get(victim.name)
            if diary.killed_at is None and seen is not None and (seen.progress or 0.0) >= DIES_AT:
                diary.killed_at = time.time()
                kill_behind_its_back(victim)
            if time.monotonic() > until:
                raise TimeoutError(f"not done after {PATIENCE:g} s:\n{system.ps()}")
    return diary


def kill_behind_its_back(victim: ActorRef[Indexer]) -> None:
    """As the kernel does when memory runs out: the system isn't told. `victim.kill()` would be a wish, and final."""
    pid = victim.info().pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def index_with_actors(files: list[str]) -> tuple[Index, float, list[ActorRef[Indexer]], Diary]:
    begun = time.perf_counter()
    # The view ends when it sees the system close, so it is waited for last. A session of its own keeps Ctrl-C from it:
    # it is to show how the actors end then.
    with ExitStack() as last, ActorSystem() as system:
        view = [sys.executable, str(VIEW), system.endpoint]
        last.enter_context(subprocess.Popen(view, start_new_session=True))
        refs = spawn_all(system, files)
        diary = follow(system, refs)
        index = merge([ref.result() for ref in refs])
        seconds = time.perf_counter() - begun
    return index, seconds, refs, diary


def index_alone(files: list[str]) -> tuple[Index, float]:
    begun = time.perf_counter()
    index: Index = {}
    for file in files:
        add_file(index, file)
    return index, time.perf_counter() - begun


def show_deaths(refs: list[ActorRef[Indexer]]) -> None:
    print("\nThe deaths")
    for ref in refs:
        for life in ref.history():
            if life.report is not None:
                print(f"\n{life.report}")


def show_cost(refs: list[ActorRef[Indexer]], diary: Diary, together: float, alone: float) -> None:
    print("\nWhat it cost")
    for ref in refs:
        first, *others = ref.history()
        if not others:
            continue
        lost, what = diary.lost_at.get(ref.name), f"its end ({first.cause})"
        if ref is refs[DIES]:
            lost, what = diary.killed_at, "the SIGKILL"
        back = diary.back_at.get(ref.name)
        gap = "unknown" if lost is None or back is None else f"{1000 * (back - lost):.1f} ms"
        print(f"  {ref.name}: RUNNING again {gap} after {what}; {(first.lap - 1) * BATCH} files read twice")
    print(f"  {ACTORS} actors, with all that: {together:.2f} s; one process, undisturbed: {alone:.2f} s")


def prove(refs: list[ActorRef[Indexer]], files: list[str], made: Index, expected: Index) -> bool:
    """Whether the index is whole, and was made under the circumstances that are claimed."""
    indexed = {file for names in made.values() for file in names}
    lives = [len(ref.history()) for ref in refs]
    staged = {HANGS, DIES} <= {number for number, count in enumerate(lives) if count > 1}
    print("\nThe proof")
    print(f"  {len(files):,} files, {len(made):,} names, {sum(map(len, made.values())):,} entries; lives {lives}")
    print(f"  the same as one process finds alone: {made == expected}")
    if not staged:
        print(f"  but indexer-{HANGS} and indexer-{DIES} should both have been replaced")
    if len(indexed) < len(files) // 2:
        print(f"  but only {len(indexed)} files have any name in them")
    return made == expected and staged and len(indexed) >= len(files) // 2


def run() -> bool:
    files = library_files()
    print(f"{len(files):,} files of {LIBRARY}, for {ACTORS} actors", flush=True)
    made, together, refs, diary = index_with_actors(files)
    print("\nNow the same in this process alone", flush=True)
    expected, alone = index_alone(files)
    show_deaths(refs)
    show_cost(refs, diary, together, alone)
    return prove(refs, files, made, expected)


def main() -> int:
    try:
        return 0 if run() else 1
    except KeyboardInterrupt:
        print("\ninterrupted; no actor is left", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
