"""A pipeline of three actors through which images go, no faster than the slowest of them, and each read where it is.

    python examples/images.py      (needs numpy)

    camera ──► smooth ──► edges ──► spectrum

The camera is this program; it could make images much faster than the last stage takes them. Each mailbox holds two, and
who sends to a full one waits: so what is under way stays a handful, whatever the number of images. An image is larger
than 1 MiB, so it is lent and not sent: the next stage reads it in the memory of the one before, and cannot write there.
At the end, the result is compared with the one that this process makes alone.
"""

import sys
import time
from itertools import accumulate

import numpy as np

from understudy import ActorRef, ActorSystem, Process

IMAGES, SIDE = 30, 1024  # pixels of one byte each
RINGS = 64
ROOM = 2  # images in a mailbox
PATIENCE = 60.0  # seconds, for all images
END = "that was the last one"


# --- what each stage does with an image


def photograph(number: int) -> np.ndarray:
    """A disk that moves over a noisy background."""
    noise = np.random.default_rng(number).integers(0, 64, (SIDE, SIDE), dtype=np.uint8)
    y, x = np.ogrid[:SIDE, :SIDE]
    at = SIDE * (1 + number) // (1 + IMAGES)
    noise[(x - at) ** 2 + (y - SIDE // 2) ** 2 < (SIDE // 8) ** 2] += 128
    return noise


def smooth(image: np.ndarray) -> np.ndarray:
    """The mean of each pixel and its eight neighbours."""
    wide = np.pad(image.astype(np.float32), 1, mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    mean: np.ndarray = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return mean


def edges(image: np.ndarray) -> np.ndarray:
    """How steep it is at each pixel."""
    down, right = np.gradient(image)
    slope: np.ndarray = np.hypot(down, right)
    return slope


def spectrum(image: np.ndarray) -> np.ndarray:
    """How much of it is coarse, and how much fine: its power by wave number, in rings."""
    power = np.abs(np.fft.fft2(image.astype(np.float64))) ** 2
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    ring = np.minimum((waves * 2 * RINGS).astype(np.int64), RINGS - 1)
    return np.bincount(ring.ravel(), weights=power.ravel(), minlength=RINGS)


# --- the actors


class Stage(Process):
    """What the stages have in common: a small mailbox, and an end."""

    def __init__(self) -> None:
        self.handled = self.writable = 0
        self.config.mailbox.size = ROOM
        self.config.mailbox.on_full = "block"

    def __receive__(self, message):
        if isinstance(message, str):
            self.end()
            self.stop()
        else:
            self.writable += message.flags.writeable
            self.handle(message)
            self.handled += 1

    def handle(self, image: np.ndarray) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Nothing more comes."""

    def __result__(self):
        return self.handled, self.writable


class Filter(Stage):
    """Gives on what a function makes of each image."""

    def __init__(self, function, then: ActorRef[Stage]) -> None:
        super().__init__()
        self.function, self.then = function, then

    def handle(self, image: np.ndarray) -> None:
        self.then.tell(self.function(image))

    def end(self) -> None:
        self.then.tell(END)


class Spectra(Stage):
    """The last one: keeps the spectrum of each image, and when it was done."""

    def __init__(self) -> None:
        super().__init__()
        self.spectra: list[np.ndarray] = []
        self.done_at: list[float] = []

    def handle(self, image: np.ndarray) -> None:
        self.spectra.append(spectrum(image))
        self.done_at.append(time.monotonic())

    def __result__(self):
        return self.handled, self.writable, np.array(self.spectra), self.done_at


# --- both ways


def most_under_way(sent_at: list[float], done_at: list[float]) -> int:
    steps = sorted([*((at, 1) for at in sent_at), *((at, -1) for at in done_at)])
    return max(accumulate(step for _, step in steps))


def main() -> int:
    began = time.monotonic()
    with ActorSystem("images", preload=["numpy"]) as system:
        last = system.spawn(Spectra, name="spectrum")
        middle = system.spawn(Filter, edges, last, name="edges")
        first = system.spawn(Filter, smooth, middle, name="smooth")
        sent_at: list[float] = []
        for number in range(IMAGES):
            first.tell(photograph(number))  # waits while there is no room
            sent_at.append(time.monotonic())
        first.tell(END)
        handled, writable, spectra, done_at = last.result(PATIENCE)
        for stage in (first, middle):
            counts = stage.result(PATIENCE)
            handled, writable = handled + counts[0], writable + counts[1]
    between = time.monotonic()
    alone = np.array([spectrum(edges(smooth(photograph(number)))) for number in range(IMAGES)])
    ended = time.monotonic()

    print(f"{IMAGES} images of {SIDE} x {SIDE}, {handled} times handled; {writable} of them could be written to")
    print(f"at the most {most_under_way(sent_at, done_at)} were under way at once")
    print(f"three actors: {between - began:.1f} s; one process: {ended - between:.1f} s")
    same = np.array_equal(spectra, alone)
    print(f"the same as one process makes alone: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
