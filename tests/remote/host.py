"""A system behind a gate, as a program: it is told by lines on standard input what is to happen in it.

    run NAME...     spawn these, each a function that ends at once, and wait for them
    stay NAME...    spawn these, which run until they are stopped
    end             shut down

Each line is answered by one.
"""

from __future__ import annotations

import sys
import time

from understudy import ActorSystem, Process


class Stays(Process):
    def __loop__(self):
        self.progress(0, note=f"{self.name} is at work")
        time.sleep(0.05)


def ends():
    return "done"


def main(endpoint: str, keys: str) -> None:
    with ActorSystem(f"host-{time.time_ns()}", control=endpoint, keys=keys) as system:
        say(system.gates[0].endpoint)
        for line in sys.stdin:
            verb, *names = line.split()
            if verb == "run":
                for ref in [system.spawn(ends, name=name) for name in names]:
                    ref.wait()
            elif verb == "stay":
                for ref in [system.spawn(Stays, name=name) for name in names]:
                    ref.wait_ready()
            else:
                break
            say(verb)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
