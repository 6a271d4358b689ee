"""`python -m benchmarks.others.environment`: builds the environment of the peers, each package installed by itself.

One that does not install is told and left out. Another run tries again what is not there. Exit code 0 also without any
of them, 1 if there is no environment at all.
"""

import json
import subprocess
import sys
from typing import TypedDict

from benchmarks.harness import ROOT
from benchmarks.others.roster import PEERS, VENV, Peer

HOME = ROOT / VENV
PYTHON = HOME / "bin" / "python"
NOTES = HOME / "peers.json"
LIMIT = 1800.0  # seconds for one package: an index can be slow, and ray is large


class Note(TypedDict):
    """What came of an install: the reason is empty if it succeeded."""

    requirement: str
    reason: str


def notes() -> dict[str, Note]:
    """What came of each install so far."""
    read: dict[str, Note] = json.loads(NOTES.read_text()) if NOTES.exists() else {}
    return read


def missing() -> dict[str, str]:
    """Who is not there, with the reason that its installer gave."""
    known = notes()
    never: Note = {"requirement": "", "reason": f"not installed into {VENV} (make bench-peers)"}
    reasons = {peer.name: known.get(peer.name, never)["reason"] for peer in PEERS}
    return {name: reason for name, reason in reasons.items() if reason}


def install(peer: Peer) -> str:
    """Install it; the reason if that failed, else nothing."""
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", peer.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"not installed within {LIMIT:g} s"
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    reason = (errors or done.stderr.splitlines() or [f"pip ended with {done.returncode}"])[-1]
    return " ".join(reason.removeprefix("ERROR:").split())


def usable() -> bool:
    """Whether there is an environment that can install."""
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def main() -> int:
    """Build what is not there yet, tell of each."""
    if not usable():
        print(f"building {VENV}", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=False).returncode != 0:
            return 1
    known = notes()
    for peer in PEERS:
        if known.get(peer.name) != {"requirement": peer.requirement, "reason": ""}:
            print(f"installing {peer.requirement} into {VENV}", flush=True)
            known[peer.name] = {"requirement": peer.requirement, "reason": install(peer)}
            NOTES.write_text(json.dumps(known, indent=2) + "\n")
            if reason := known[peer.name]["reason"]:
                print(f"without {peer.name}: {reason}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
