"""Who may come in over a network: a directory of key files, which people read, carry about and take away.

    <keyring>/              mode 0700
        server.key          the system's own pair
        clients/NAME.pub    who may come: its role and public key
        revoked/NAME.pub    who may not any more
        NAME.key            what NAME needs, to be handed over: its pair, its role, the system's public key

Each is TOML, of mode 0600. What a file says holds at once: the directory is looked at again at each request.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from understudy.errors import AccessDenied, ConfigError, NameTaken
from understudy.settings import shown
from understudy.wire import regular
from understudy.wire.sockets.curve import Pair, is_key, new_pair

LONGEST_NAME = 64
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_CLIENTS, _REVOKED, _SERVER = "clients", "revoked", "server"
_LONGEST_FILE = 4_096
_SECRET = 0o077
"""What nobody else may do with a file that holds a secret, nor with the directory of those who may come."""


class Role(StrEnum):
    """What a key is good for: an observer looks, a controller also acts."""

    OBSERVER = "observer"
    CONTROLLER = "controller"


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
    found = _read(_path(path), secret=True)
    try:
        name, role = _checked_name(found["name"]), Role(found["role"])
        key = Key(name, role, Pair(found["public"], found["secret"]), found["server"])
    except (KeyError, ValueError, ConfigError):
        raise ConfigError(f"{path} is no client's key: it needs name, role, public, secret and server") from None
    if not all(map(is_key, (key.pair.public, key.pair.secret, key.server))):
        raise ConfigError(f"{path} is no client's key: public, secret and server are Z85, of 40 characters each")
    return key


class Keyring:
    """One directory; it may be changed by others at any moment."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.directory = default_directory() if directory is None else _path(directory)
        self._seen: object = None
        self._members: dict[str, Member] = {}
        self.unread: dict[str, str] = {}
        """Files among those who may come that say nothing that could be read, and why: nobody comes in by them."""

    def server(self) -> Pair:
        """The system's own pair. Raises ConfigError where there is none, AccessDenied where others can read it."""
        path = self.directory / f"{_SERVER}.key"
        found = _read(path, secret=True)
        public, secret = found.get("public"), found.get("secret")
        if not (is_key(public) and is_key(secret)):
            raise ConfigError(f"{path} is no system's key: public and secret are Z85, of 40 characters each")
        return Pair(str(public), str(secret))

    def members(self) -> dict[str, Member]:
        """Who may come in now, by public key. Raises AccessDenied where others could add to them."""
        folder = self.directory / _CLIENTS
        seen = _look(folder)
        if seen != self._seen:
            _check_mode(folder)
            self.unread = {}
            self._members = {each.public: each for each in self._read_members(folder)}
            self._seen = seen
        return self._members

    def revoked(self) -> list[Member]:
        """Who may not come in any more."""
        return sorted(self._read_members(self.directory / _REVOKED), key=lambda each: each.since)

    def new(self, name: str, role: Role | str) -> Key:
        """Let somebody in from now on; makes the keyring where there is none.

        The key's file lies in the keyring, as `key_path` says. Raises ConfigError, and NameTaken where somebody of that
        name may come in.
        """
        checked, role = _checked_name(name), _checked_role(role)
        for folder in (self.directory, self.directory / _CLIENTS):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_mode(folder)
        server = self._own_pair()
        key = Key(checked, role, new_pair(), server.public)
        member = {"name": checked, "role": str(role), "public": key.pair.public, "since": time.time()}
        try:
            _write(self.directory / _CLIENTS / f"{checked}.pub", f"{checked}, a key that may come in", member)
        except FileExistsError:
            raise NameTaken(f"{checked!r} has a key in {self.directory} already; revoke it first") from None
        secret = {**member, "secret": key.pair.secret, "server": key.server}
        path = self.key_path(checked)
        path.unlink(missing_ok=True)  # of one that was revoked
        _write(path, f"who holds this file is {checked!r}, {_with_article(role)}: hand it to nobody else", secret)
        return key

    def key_path(self, name: str) -> Path:
        """Where the file is that a new client is to be handed."""
        return self.directory / f"{name}.key"

    def revoke(self, name: str) -> Member:
        """Let somebody in no more, from now on; raises ConfigError where nobody of that name may come in."""
        found = next((each for each in self.members().values() if each.name == name), None)
        if found is None:
            names = ", ".join(sorted(each.name for each in self.members().values())) or "there is none"
            raise ConfigError(f"{shown(name)} has no key in {self.directory}: {names}")
        (self.directory / _REVOKED).mkdir(mode=0o700, exist_ok=True)
        taken = self.directory / _REVOKED / f"{name}.{found.public[:8].encode().hex()}.pub"
        os.replace(self.directory / _CLIENTS / f"{name}.pub", taken)
        os.utime(taken)
        self.key_path(name).unlink(missing_ok=True)
        return found

    def _own_pair(self) -> Pair:
        path = self.directory / f"{_SERVER}.key"
        if not path.exists():
            pair = new_pair()
            try:
                _write(path, "the key of the system itself", {"public": pair.public, "secret": pair.secret})
            except FileExistsError:
                return self.server()  # somebody else made it just now
        return self.server()

    def _read_members(self, folder: Path) -> Iterator[Member]:
        for path in sorted(folder.glob("*.pub")) if folder.is_dir() else ():
            try:
                found = _read(path, secret=False)
                since = path.stat().st_mtime if folder.name == _REVOKED else float(found.get("since", 0.0))
                member = Member(
                    _checked_name(found.get("name")), _checked_role(found.get("role")), found["public"], since
                )
                if not is_key(member.public):
                    raise ConfigError(f"{path}: public is Z85, of 40 characters")
            except (ConfigError, AccessDenied, KeyError, TypeError, ValueError) as error:
                self.unread[path.name] = str(error)
            else:
                yield member


def _with_article(role: Role) -> str:
    return "an observer" if role is Role.OBSERVER else "a controller"


def _path(given: object) -> Path:
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise ConfigError(f"{shown(given)} is no path of a key or a keyring")
    return Path(os.path.expanduser(os.fsdecode(os.fspath(given))))


def _checked_name(name: object) -> str:
    fits = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and _LETTERS.issuperset(name)
    if not fits or str(name)[0] in "._-" or name == _SERVER:
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


def _look(folder: Path) -> object:
    """What changes when somebody adds to it, takes from it or writes to one of its files."""
    try:
        with os.scandir(folder) as entries:
            found = [(one.name, one.inode(), one.stat().st_mtime_ns, one.stat().st_size) for one in entries]
    except OSError:
        return None
    return sorted(found)


def _check_mode(folder: Path) -> None:
    try:
        found = folder.stat()
    except OSError as error:
        raise ConfigError(f"there is no keyring at {folder}: {error.strerror}") from None
    if found.st_uid != os.geteuid() or found.st_mode & _SECRET:
        raise AccessDenied(
            f"{folder} must be a directory of mode 0700 that belongs to this user: others could add keys"
        )


def _read(path: Path, *, secret: bool) -> dict[str, Any]:
    try:
        with os.fdopen(regular.opened(str(path), os.O_RDONLY), "rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    if secret and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & _SECRET):
        raise AccessDenied(f"{path} holds a secret and must belong to this user with mode 0600 (chmod 600 {path})")
    try:
        return tomllib.loads(text.decode())
    except ValueError as error:
        raise ConfigError(f"{path} is no key file: {error}") from None


def _write(path: Path, comment: str, values: dict[str, Any]) -> None:
    """All of it at once, and only where there is nothing."""
    lines = [f"# understudy: {comment}", *(f"{key} = {_toml(value)}" for key, value in values.items()), ""]
    fd, made = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # of mode 0600
    try:
        with os.fdopen(fd, "w") as file:
            file.write("\n".join(lines))
        os.link(made, path)
    finally:
        os.unlink(made)


def _toml(value: object) -> str:
    return repr(value) if isinstance(value, float) else f'"{value}"'  # names and Z85 hold neither quote nor backslash
