"""Log records where the program that is run handles none itself: a line each on standard error, from WARNING on."""

from __future__ import annotations

import logging
import sys


class Lines(logging.Handler):
    """To be `logging.lastResort` of a command."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Print it; of a crash that another life follows the line alone, of the last one nothing."""
        if hasattr(record, "actor") and not record.pathname:  # the router's own, on how the actor fares
            if record.levelno >= logging.ERROR:
                return  # the command ends with the whole report
            text = record.getMessage()
        else:
            text = self.format(record)
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:
            self.handleError(record)
