"""An actor in a module that no zygote knows and that costs something to import, as users' modules do."""

import decimal
import http.client
import sqlite3
import xml.etree.ElementTree as ET

from benchmarks.actors import Brief

IMPORTED = (decimal, http.client, sqlite3, ET)


class Stranger(Brief):
    """Stamps the board and ends."""
