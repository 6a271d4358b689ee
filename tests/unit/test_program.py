"""`Exec` as a value: what it takes, and what it refuses at that line, by field and value."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from understudy import ConfigError, Exec


def test_it_is_a_frozen_value_that_can_be_changed_by_a_copy_pickled_and_be_a_key():
    made = Exec(["redis-server", Path("/etc/redis.conf")], env={"A": "1", "B": None}, limits={"core": (0, None)})
    assert made.argv == ("redis-server", "/etc/redis.conf")
    assert made == pickle.loads(pickle.dumps(made)) == replace(made)
    assert replace(made, umask=0o027).umask == 0o027
    assert {made: 1}[replace(made)] == 1
    assert made.label == "redis-server"
    with pytest.raises(FrozenInstanceError):
        made.umask = 0  # type: ignore[misc]


def test_it_does_not_change_with_what_it_was_made_of():
    argv, env = ["true"], {"A": "1"}
    made = Exec(argv, env=env)
    argv.append("more")
    env["B"] = "2"
    assert (made.argv, made.env) == (("true",), {"A": "1"})


@pytest.mark.parametrize(
    ("argv", "options", "words"),
    [
        ("redis-server --port 1", {}, r"^Exec\(argv='redis-server --port 1'\): give a list, .* \['sh', '-c', line\]$"),
        ([], {}, r"^Exec\(argv=\[\]\): give a list of texts, the program first"),
        ([""], {}, r"^Exec\(argv=''\): give a text, or a path, that is not empty"),
        (["sleep", 600], {}, r"^Exec\(argv=\['sleep', 600\]\): an argument is a text or a path; 600 is none"),
        (["echo", "a\0b"], {}, r"an argument is a text or a path"),
        (["true"], {"env": ["A=1"]}, r"^Exec\(env=\['A=1'\]\): give a mapping"),
        (["true"], {"env": {"A=B": "1"}}, r"'A=B' cannot be the name of a variable"),
        (["true"], {"env": {"A": 1}}, r"^Exec\(env=...\): A is 1; it is a text, or None, which removes it"),
        (["true"], {"env": {"A": "\ud800"}}, r"^Exec\(env=...\): A is a text that no variable can hold"),
        (["echo", "\ud800"], {}, r"an argument is a text or a path"),
        (["true"], {"cwd": "/\ud800"}, r"^Exec\(cwd="),
        (["true"], {"cwd": ""}, r"^Exec\(cwd=''\)"),
        (["true"], {"user": "nobody-of-that-name"}, r"^Exec\(user='nobody-of-that-name'\): there is no such user"),
        (["true"], {"user": -1}, r"^Exec\(user=-1\): give the name or the number of a user"),
        (["true"], {"user": True}, r"^Exec\(user=True\)"),
        (["true"], {"umask": "022"}, r"^Exec\(umask='022'\): give the bits as a number, as in 0o027"),
        (["true"], {"umask": 0o10000}, r"^Exec\(umask=4096\)"),
        (["true"], {"limits": {"nofiles": 1}}, r"'nofiles' is no limit; there are as, core, cpu"),
        (["true"], {"limits": {"rttime": 1}}, r"'rttime' is no limit"),
        (["true"], {"limits": {"nofile": "many"}}, r"nofile is 'many'; it is a number, two of them, or None"),
        (["true"], {"limits": {"nofile": (5, 4)}}, r"the soft limit of nofile is above its hard one"),
        (["true"], {"limits": {"nofile": (None, 4)}}, r"the soft limit of nofile is above its hard one"),
        (["true"], {"stdin": 5}, r"^Exec\(stdin=5\): give bytes or text that it reads, a Path of a file, or None"),
        (
            ["true"],
            {"stdin": "\ud800"},
            r"^Exec\(stdin=...\): it cannot be encoded: surrogates not allowed; give bytes",
        ),
        (["true"], {"stdin": bytes(2**25 + 1)}, r"^Exec\(stdin=...\): 33554433 bytes are more than .*; give the Path"),
        (["true"], {"ok_codes": ()}, r"^Exec\(ok_codes=\(\)\): give exit codes, at least one, from 0 to 255"),
        (["true"], {"ok_codes": {0, 256}}, r"give exit codes"),
        (["true"], {"ok_codes": 0}, r"^Exec\(ok_codes=0\): give exit codes"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_field_and_value(argv: Any, options: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        Exec(argv, **options)


def test_what_may_be_secret_is_shown_neither_by_itself_nor_by_an_error_about_another():
    secrets = {"PASSWORD": "hunter2", "PORT": "6390"}
    assert "hunter2" not in repr(Exec(["true"], env=secrets, stdin="hunter2"))
    with pytest.raises(ConfigError) as caught:
        Exec(["true"], env={**secrets, "PORT": 6390})  # type: ignore[dict-item]
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        Exec(["true"], env={"PASSWORD": "hunter2\0"})
    assert "hunter2" not in str(caught.value)
