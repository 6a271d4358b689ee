"""Fetches the pages of a site of which some are slow, some fail now and then, and one never answers.

    python examples/scraper.py [PAGES]

The site is a thread of this program. A page that takes longer than its timeout is given up, by an interrupt of the task
and not of the worker, and begun anew as often as it has retries. An error of the page's own is the task's, and comes to
whoever asks for the result: here it is tried once more, at a lower priority than what was not tried yet.
"""

import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from understudy import Pool, PoolTaskError

TIMEOUT, RETRIES = 1.0, 5  # seconds for a page, and how often it is begun anew


class Site(BaseHTTPRequestHandler):
    """Every fifth page fails the first time that it is asked for, every seventh is slow then; /never never answers."""

    asked: ClassVar[Counter[str]] = Counter()
    closing = threading.Event()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        name, first = self.path.strip("/"), self.asked[self.path] == 1
        if name == "never" or (first and int(name) % 7 == 6):
            self.closing.wait(60)
            return
        if first and int(name) % 5 == 4:
            self.send_error(503)
            return
        body = f"page {name}: " + "word " * (1 + int(name) % 10)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            Site.closing.set()
            server.shutdown()
            thread.join()


class Refused(Exception):
    """The site gave this status in place of the page."""


def words(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as page:  # noqa: S310 - our own; the timeout is the task's
            return len(page.read().split()) - 2
    except urllib.error.HTTPError as error:
        raise Refused(error.code) from None


def main() -> int:
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    began = time.monotonic()
    found: dict[str, int] = {}
    given_up: dict[str, str] = {}
    again: list[str] = []
    with site() as home, Pool(8, name="scraper") as pool:
        patient = pool.options(timeout=TIMEOUT, retries=RETRIES)
        under_way: dict[Future[int], str] = {}
        for page in map(str, range(pages)):
            under_way[patient.submit(words, f"{home}/{page}")] = page
        hopeless = pool.options(timeout=TIMEOUT, retries=1, key="never")
        under_way[hopeless.submit(words, f"{home}/never")] = "never"
        last = pool.options(timeout=TIMEOUT, retries=RETRIES, priority=-1)
        while under_way:
            for future in as_completed(list(under_way)):
                page = under_way.pop(future)
                try:
                    found[page] = future.result()
                except Refused as error:
                    again.append(f"{page} ({error})")
                    under_way[last.submit(words, f"{home}/{page}")] = page
                except PoolTaskError as error:
                    given_up[page] = str(error)
        stats = pool.stats()
    print(f"{len(found)} of {pages} pages, {sum(found.values())} words, in {time.monotonic() - began:.1f} s")
    print(f"{len(again)} failed and were asked for again: {', '.join(sorted(again))}")
    print(f"{stats.retried} were too slow and begun anew; given up: {given_up}")
    print(f"all by {stats.workers} workers, of which {stats.lost} were lost")
    right = found == {str(page): 1 + page % 10 for page in range(pages)}
    print(f"every page is what it should be: {right}")
    return 0 if right and [*given_up] == ["never"] else 1


if __name__ == "__main__":
    sys.exit(main())
