"""What the levels of zlib cost and bring: three processes compress the same text, and time each section of each lap.

    python examples/timed_process.py [FILE …]

No system is named here: a Process can be started by itself, and waited for, and asked for its result and its timers.
"""

import argparse
import sys
import sysconfig
import zlib
from pathlib import Path

from understudy import Process, Timer, timethis

BLOCK = 64 * 1024
LEVELS = (1, 6, 9)


class Compressor(Process):
    """Compresses the files block by block, one a lap, until there is nothing left to read."""

    def __init__(self, files: list[Path], level: int):
        # This runs here, in the caller, and only once: the process gets the object as it is then, with the text.
        self.text = b"".join(file.read_bytes() for file in files)
        self.level = level
        self.small = 0

    @timethis()
    def __preloop__(self):
        start = self.completed_laps * BLOCK
        self.block = self.text[start : start + BLOCK]
        if not self.block:
            self.stop()

    @timethis()
    def __loop__(self):
        self.packed = zlib.compress(self.block, self.level)

    @timethis()
    def __postloop__(self):
        if zlib.decompress(self.packed) != self.block:
            raise ValueError(f"block {self.current_lap} did not survive level {self.level}")
        self.small += len(self.packed)
        self.progress(self.current_lap * BLOCK, max(len(self.text), self.current_lap * BLOCK))

    def __result__(self):
        return len(self.text), self.small


def milliseconds(timer: Timer | None) -> str:
    if timer is None or timer.mean is None:
        return "-"
    return f"{1000 * timer.mean:8.3f} {1000 * (timer.percentile(95) or 0):8.3f} {1000 * (timer.slowest or 0):8.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(description="what the levels of zlib cost and bring")
    library = Path(sysconfig.get_path("stdlib"))
    parser.add_argument("file", nargs="*", type=Path, default=sorted(library.glob("*.py")))
    files = parser.parse_args().file

    processes = [Compressor(files, level) for level in LEVELS]
    whole = Timer()
    with whole:
        for process in processes:
            process.start(name=f"level-{process.level}")
        for process in processes:
            process.wait(timeout=120)  # in any order: they run side by side, so the slowest is what it takes

    print(f"{len(files)} files in blocks of {BLOCK // 1024} KiB; milliseconds a block")
    print("level    size  blocks   loop: mean     95 %  slowest   whole lap: mean     95 %  slowest")
    for process in processes:
        size, small = process.result()
        timers = process.timers
        print(
            f"{process.level:5} {100 * small / size:6.1f}%  {timers.full_loop.num_times:6}     "
            f"{milliseconds(timers.loop)}          {milliseconds(timers.full_loop)}"
        )
    print(f"all of it, side by side: {whole.total:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
