"""Who may come in over a network: a directory of key files, which people read, carry about and take away.

    <keyring>/              mode 0700
        server.key          the system's own pair
        clients/NAME.pub    who may come: its role and public key
        revoked/NAME.pub    who may not any more
        NAME.key            what NAME needs, to be handed over: its pair, its role, the system's public key

Each is TOML, of mode 0600. What a file says holds at once: the directory is looked at again at each request. Who is
among the revoked does not come in, whatever else says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from understudy.errors import AccessDenied, ConfigError, NameTaken
from understudy.settings import shown
from understudy.status import Role
from understudy.wire import keyfiles
from understudy.wire.sockets.curve import Pair, is_key, is_pair, new_pair

LONGEST_NAME = 64
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_CLIENTS, _REVOKED, _SERVER = "clients", "revoked", "server"
_LATEST = 1e11  # seconds; no clock of a machine comes so far
_NAMED = 5
_SHARPNESS = 2.0
"""Seconds within which two changes of a file may bear the same time."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a client holds."""

    name: str
    role: Role
    pair: Pair
    server: str
    """The public key of the system that it is for."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may come in; ``since`` is the time of day when the key was made, or taken away."""

    name: str
    role: Role
    public: str
    since: float


def default_directory() -> Path:
    """Where this user's keyring is, unless another is named."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home, "understudy", "keys")


def read_key(path: str | os.PathLike[str]) -> Key:
    """A client's key. Raises ConfigError where there is none, AccessDenied where others can read it."""
    found = keyfiles.read(_path(path), forbidden=keyfiles.SECRET)
    try:
        name, role = _checked_name(found["name"]), Role(found["role"])
        key = Key(name, role, Pair(found["public"], found["secret"]), found["server"])
    except (KeyError, ValueError, ConfigError):
        raise ConfigError(f"{path} is no client's key: it needs name, role, public, secret and server") from None
    if not all(map(is_key, (key.pair.public, key.pair.secret, key.server))):
        raise ConfigError(f"{path} is no client's key: public, secret and server are Z85, of 40 characters each")
    _check_pair(path, key.pair)
    return key


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was found at one look."""

    seen: object
    members: dict[str, Member]
    unread: dict[str, str]


class Keyring:
    """One directory; it may be changed by others at any moment, and asked by any thread."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.directory = default_directory() if directory is None else _path(directory)
        self._reading = _Reading(None, {}, {})

    @property
    def unread(self) -> dict[str, str]:
        """Files of the last `members` that say nothing that holds, ``clients/NAME.pub`` and the like, and why."""
        return self._reading.unread

    def server(self) -> Pair:
        """The system's own pair. Raises ConfigError where there is none, AccessDenied where others can read it."""
        keyfiles.check_mode(self.directory)
        path = self.directory / f"{_SERVER}.key"
        found = keyfiles.read(path, forbidden=keyfiles.SECRET)
        public, secret = found.get("public"), found.get("secret")
        if not (is_key(public) and is_key(secret)):
            raise ConfigError(f"{path} is no system's key: public and secret are Z85, of 40 characters each")
        pair = Pair(str(public), str(secret))
        _check_pair(path, pair)
        return pair

    def members(self) -> dict[str, Member]:
        """Who may come in now, by public key; nobody where there is no keyring.

        Raises AccessDenied where others could add to them.
        """
        clients, revoked = self.directory / _CLIENTS, self.directory / _REVOKED
        seen = [keyfiles.look(folder) for folder in (self.directory, clients, revoked)]
        if seen != self._reading.seen:
            for folder in (self.directory, clients):
                if folder.exists():
                    keyfiles.check_mode(folder)
            unread: dict[str, str] = {}
            gone = {each.public for each in _read_members(revoked, unread)}
            members: dict[str, Member] = {}
            for each in _read_members(clients, unread):
                other = members.get(each.public)
                if each.public in gone:
                    unread[_told(each.name)] = "this key was revoked"
                elif other is not None:
                    unread[_told(each.name)] = f"this key is that of {other.name!r}"
                else:
                    members[each.public] = each
            newest = max((moment for one in seen for moment in one[1]), default=0)
            is_sharp = time.time_ns() - newest > _SHARPNESS * 1e9  # else another change may look the same
            self._reading = _Reading(seen if is_sharp else None, members, unread)
        return self._reading.members

    def revoked(self) -> list[Member]:
        """Who may not come in any more; ``since`` is when it was revoked."""
        return sorted(_read_members(self.directory / _REVOKED, {}), key=lambda each: (each.since, each.name))

    def new(self, name: str, role: Role | str, *, out: str | os.PathLike[str] | None = None) -> Key:
        """Let somebody in from now on; makes the keyring where there is none.

        The key's file lies in the keyring, as `key_path` says, or is ``out``, which must not be there yet. Raises
        ConfigError, NameTaken where somebody of that name may come in, FileExistsError for an ``out`` that is there,
        OSError for what cannot be written. Where it raises, nobody was let in.
        """
        checked, role = _checked_name(name), _checked_role(role)
        for folder in (self.directory, self.directory / _CLIENTS):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            keyfiles.check_mode(folder)
        with self._turn():
            path = self.directory / _told(checked)
            if os.path.lexists(path):
                raise self._taken(checked)
            server = self._own_pair()
            key = Key(checked, role, new_pair(), server.public)
            member = {"name": checked, "role": str(role), "public": key.pair.public, "since": time.time()}
            secret = {**member, "secret": key.pair.secret, "server": key.server}
            text = keyfiles.text_of(
                f"who holds this file is {checked!r}, {_with_article(role)}: hand it to nobody else", secret
            )
            if out is None:
                place = self.key_path(checked)
                place.unlink(missing_ok=True)  # of one that was revoked by hand
            else:
                place = _path(out)
            keyfiles.write_here(place, text)
            try:
                keyfiles.write(path, keyfiles.text_of(f"{checked}, a key that may come in", member))
            except BaseException:
                place.unlink(missing_ok=True)
                raise
        return key

    def key_path(self, name: str) -> Path:
        """Where the file is that a new client is to be handed."""
        return self.directory / f"{name}.key"

    def revoke(self, name: str) -> Member:
        """Let somebody in no more, from now on; raises ConfigError where nobody of that name may come in."""
        if not self.directory.is_dir():
            raise ConfigError(f"there is no keyring at {self.directory}")
        with self._turn():
            found = next((each for each in self.members().values() if each.name == name), None)
            if found is None:
                raise self._stranger(name)
            (self.directory / _REVOKED).mkdir(mode=0o700, exist_ok=True)
            taken = self.directory / _REVOKED / f"{found.name}.{found.public[:8].encode().hex()}.pub"
            os.replace(self.directory / _told(found.name), taken)
            os.utime(taken)
            self.key_path(found.name).unlink(missing_ok=True)
            return found

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Who changes it does so alone."""
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)  # a copy of this process that was forked meanwhile has it open too
            os.close(fd)

    def _taken(self, name: str) -> NameTaken:
        self.members()
        if (why := self.unread.get(_told(name))) is not None:
            return NameTaken(
                f"{self.directory / _told(name)} is there, and nobody comes in by it ({why}); remove it first"
            )
        return NameTaken(f"{name!r} has a key in {self.directory} already; revoke it first")

    def _stranger(self, name: str) -> ConfigError:
        if (why := self.unread.get(_told(name))) is not None:
            return ConfigError(f"nobody comes in by {self.directory / _told(name)} ({why}); remove it")
        known = sorted(each.name for each in self.members().values())
        near = get_close_matches(str(name), known, 3)
        if near:
            hint = f"did you mean {', '.join(near)}?"
        else:
            hint = f"there is {', '.join(known[:_NAMED])}" if known else "there is none"
        return ConfigError(f"{shown(name)} has no key in {self.directory}; {hint}")

    def _own_pair(self) -> Pair:
        path = self.directory / f"{_SERVER}.key"
        if not os.path.lexists(path):
            pair = new_pair()
            keyfiles.write(
                path, keyfiles.text_of("the key of the system itself", {"public": pair.public, "secret": pair.secret})
            )
        return self.server()


def _told(name: str) -> str:
    """The file of a member, as seen from the keyring."""
    return f"{_CLIENTS}/{name}.pub"


def _read_members(folder: Path, unread: dict[str, str]) -> Iterator[Member]:
    for path in sorted(folder.glob("*.pub")):
        try:
            found = keyfiles.read(path, forbidden=keyfiles.WRITTEN)
            name, role, public = _checked_name(found.get("name")), _checked_role(found.get("role")), found.get("public")
            if folder.name == _REVOKED:
                since = path.stat().st_mtime
            else:
                since = _checked_time(found.get("since", 0.0))
                if path.stem != name:
                    raise ConfigError(f"it says that it is {name!r}'s")
            if not is_key(public):
                raise ConfigError("public is Z85, of 40 characters")
        except (ConfigError, AccessDenied, OSError) as error:
            unread[f"{folder.name}/{path.name}"] = str(error)
        else:
            yield Member(name, role, str(public), since)


def _with_article(role: Role) -> str:
    return "an observer" if role is Role.OBSERVER else "a controller"


def _path(given: object) -> Path:
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise ConfigError(f"{shown(given)} is no path of a key or a keyring")
    text = os.path.expanduser(os.fsdecode(os.fspath(given)))
    if "\0" in text:
        raise ConfigError(f"{shown(given)} is no path of a key or a keyring")
    return Path(text)


def _checked_name(name: object) -> str:
    fits = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and _LETTERS.issuperset(name)
    if not fits or str(name)[0] in "._-" or str(name).lower() == _SERVER:  # some file systems take both for one
        raise ConfigError(
            f"{shown(name)} is no name for a key: up to {LONGEST_NAME} letters, digits, '.', '_' and '-', the first a "
            f"letter or digit, and not {_SERVER!r}"
        )
    return str(name)


def _checked_role(role: object) -> Role:
    try:
        return Role(str(role))
    except ValueError:
        raise ConfigError(f"{shown(role)} is no role: it is {' or '.join(Role)}") from None


def _checked_time(moment: object) -> float:
    fits = isinstance(moment, int | float) and not isinstance(moment, bool) and 0 <= moment < _LATEST
    if not fits:
        raise ConfigError(f"since is {shown(moment)}, no time of day in seconds")
    return float(str(moment))


def _check_pair(path: object, pair: Pair) -> None:
    if not is_pair(pair):
        raise ConfigError(f"{path}: public and secret do not belong to each other")
