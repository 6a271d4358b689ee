"""The fresh process of one contestant in one round: runs one call, prints its value."""

import importlib
import json
import sys
from typing import Any

LAUNCH = "from benchmarks.stage import main; main()"
"""Run with `-c`: such a `__main__` has no file, so that multiprocessing's children need not import it."""

VALUE, ERROR = "VALUE ", "ERROR "


def load(dotted: str) -> Any:
    """What `package.module:name` names."""
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)


def main() -> None:
    """`call [troupe]` and the options as JSON from the command line; the value, or the error, on the last line."""
    call, troupe, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

    def make() -> Any:
        return load(troupe)()  # its import is part of what it costs

    try:
        function = load(call)
        value = function(make, **options) if troupe else function(**options)
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"\n{ERROR}{text}", flush=True)
        raise
    print(f"\n{VALUE}{json.dumps(float(value))}", flush=True)
