"""A crawler of actors, over a site of real pages, and the proof that it finds what one process alone finds.

    python examples/crawler.py [PATTERN]

The site is the documentation of some packages of the standard library, as pydoc writes it, served by `http.server` from
a temporary folder. As on most sites, some links lead nowhere: to modules that it has no page for.

    frontier ──► fetchers ──► parsers ──► index
        ▲  dead links │   links  │
        └─────────────┴──────────┘

The frontier knows which pages were found, and has no more than a few under way: so nobody waits for room in a mailbox
whose owner waits for him. Its answer to the one ask for the whole crawl comes when nothing is under way any more. There
are several fetchers, for they wait for the server, and several parsers, for they work. PATTERN is looked up in the
index at the end; without it "encod".
"""

import importlib
import pkgutil
import pydoc
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urldefrag, urljoin
from urllib.request import urlopen

from understudy import ActorRef, ActorSystem, GroupRef, Process, callable_remotely

PACKAGES = ["email", "html", "http", "json", "logging", "urllib"]
FETCHERS, PARSERS = 3, 2
AT_ONCE = 16  # pages under way
PATIENCE = 60.0  # seconds, for the whole crawl

Words = dict[str, dict[str, int]]
"""Word -> page -> how often."""


# --- the site


def write_site(folder: Path) -> None:
    """A page for each module of the packages, and one that leads to the packages."""
    for package in PACKAGES:
        found = importlib.import_module(package)
        names = [package, *(one.name for one in pkgutil.walk_packages(found.__path__, f"{package}."))]
        for name in names:
            title = f"Python: {name}"
            text = pydoc.html.page(title, pydoc.html.document(importlib.import_module(name), name))
            (folder / f"{name}.html").write_text(text, encoding="utf-8")
    links = "\n".join(f'<li><a href="{package}.html">{package}</a></li>' for package in PACKAGES)
    (folder / "index.html").write_text(f"<html><body><ul>{links}</ul></body></html>", encoding="utf-8")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):  # noqa: A002 - its name in the base class
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the site while it is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        serves = threading.Thread(target=server.serve_forever, args=(0.05,))
        serves.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            serves.join()


# --- what there is to do with a page


def fetch(url: str) -> str | None:
    """The page, or None where there is none."""
    try:
        with urlopen(url, timeout=30) as answer:  # noqa: S310 - of the site alone
            text: str = answer.read().decode()
            return text
    except HTTPError as error:
        error.close()
        return None


class Page(HTMLParser):
    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url, self.links, self.words = url, set[str](), Counter[str]()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.links.add(urldefrag(urljoin(self.url, href)).url)

    def handle_data(self, data):
        self.words.update(word.lower() for word in data.split() if word.isidentifier())

    def links_within(self, site: str) -> list[str]:
        return sorted(link for link in self.links if link.startswith(site))


# --- the actors


class Frontier(Process):
    """Told what was found, or asked to crawl: the answer comes when there is nothing left to find."""

    def __init__(self, fetchers: GroupRef["Fetcher"]) -> None:
        self.fetchers = fetchers
        self.seen: set[str] = set()
        self.dead: list[str] = []
        self.waiting: list[str] = []
        self.under_way = 0

    def __receive__(self, message):
        match message:
            case ["crawl", site]:
                self.asked = self.defer()
                self.find([site])
            case ["parsed", links]:
                self.under_way -= 1
                self.find(links)
            case ["dead", url]:
                self.under_way -= 1
                self.dead.append(url)
        while self.waiting and self.under_way < AT_ONCE:
            self.fetchers.tell(self.waiting.pop(), route="least_loaded")
            self.under_way += 1
        self.progress(len(self.seen) - len(self.waiting) - self.under_way, max(1, len(self.seen)))
        if self.under_way == 0:
            self.asked.reply((self.seen, self.dead))

    def find(self, links: list[str]) -> None:
        new = [link for link in links if link not in self.seen]
        self.seen.update(new)
        self.waiting.extend(new)


class Fetcher(Process):
    def __init__(self, site: str, parsers: GroupRef["Parser"]) -> None:
        self.site, self.parsers = site, parsers

    def __receive__(self, url):
        text = fetch(url)
        if text is None:
            self.system.ref("frontier").tell(["dead", url])
        else:
            self.parsers.tell([url, text], route="least_loaded")


class Parser(Process):
    def __init__(self, site: str, index: ActorRef["Index"]) -> None:
        self.site, self.index = site, index

    def __receive__(self, message):
        url, text = message
        page = Page(url, text)
        # Called, not told: whoever hears that all is parsed may rely on it that all is in the index.
        self.index.call.add(url, dict(page.words))
        self.system.ref("frontier").tell(["parsed", page.links_within(self.site)])


class Index(Process):
    def __init__(self) -> None:
        self.words: Words = {}

    @callable_remotely
    def add(self, url: str, found: dict[str, int]) -> None:
        add(self.words, url, found)

    @callable_remotely
    def search(self, part: str) -> list[tuple[int, str]]:
        return search(self.words, part)

    @callable_remotely
    def all(self) -> Words:
        return self.words


def add(words: Words, url: str, found: dict[str, int]) -> None:
    for word, times in found.items():
        words.setdefault(word, {})[url] = times


def search(words: Words, part: str) -> list[tuple[int, str]]:
    """The pages that have words with this part, those with most of them first."""
    hits = Counter[str]()
    for word, pages in words.items():
        if part in word:
            hits.update(pages)
    return sorted(((times, url) for url, times in hits.items()), key=lambda hit: (-hit[0], hit[1]))


# --- both ways


def crawl_with_actors(site: str, part: str) -> tuple[set[str], list[str], Words]:
    with ActorSystem("crawler") as system:
        index = system.spawn(Index, name="index")
        parsers = system.spawn(Parser, site, index, name="parser", replicas=PARSERS)
        fetchers = system.spawn(Fetcher, site, parsers, name="fetcher", replicas=FETCHERS)
        frontier = system.spawn(Frontier, fetchers, name="frontier")
        seen, dead = frontier.ask(["crawl", site], timeout=PATIENCE)
        for times, url in index.call.search(part)[:3]:
            print(f"  {times:4} times {part!r} in {url.removeprefix(site)}")
        return seen, dead, index.call.all()


def crawl_alone(site: str) -> tuple[set[str], list[str], Words]:
    seen, dead, waiting, words = {site}, list[str](), [site], Words()
    while waiting:
        url = waiting.pop()
        text = fetch(url)
        if text is None:
            dead.append(url)
            continue
        page = Page(url, text)
        add(words, url, page.words)
        new = [link for link in page.links_within(site) if link not in seen]
        seen.update(new)
        waiting.extend(new)
    return seen, dead, words


def main() -> int:
    part = sys.argv[1] if len(sys.argv) > 1 else "encod"
    with tempfile.TemporaryDirectory() as folder:
        write_site(Path(folder))
        with served(Path(folder)) as site:
            began = time.monotonic()
            seen, dead, words = crawl_with_actors(site, part)
            between = time.monotonic()
            alone = crawl_alone(site)
            ended = time.monotonic()
    print(f"{len(seen) - len(dead)} pages, {len(dead)} links that lead nowhere, {len(words):,} words")
    print(f"{FETCHERS + PARSERS + 2} actors: {between - began:.1f} s; one process: {ended - between:.1f} s")
    same = (seen, sorted(dead), words) == (alone[0], sorted(alone[1]), alone[2])
    print(f"the same as one process finds alone: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
