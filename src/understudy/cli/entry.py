"""Where the command begins: with next to nothing imported, so that Ctrl-C meets who understands it."""

from __future__ import annotations

from typing import NoReturn

from understudy.cli.exits import PRESSED


def main() -> NoReturn:
    """Run the command line of this process; it ends by `SystemExit`, also by Ctrl-C while its parts are imported."""
    try:
        from understudy.cli import app

        app.main()
    except KeyboardInterrupt:
        raise SystemExit(PRESSED) from None
