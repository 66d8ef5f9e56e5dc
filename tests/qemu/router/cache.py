"""Where downloads live: outside the tree, shared by all clones, keyed by version.

Two runs may start at the same time, so whatever fills the cache holds its lock, and what is
complete appears by rename."""

import contextlib
import fcntl
import os
from pathlib import Path


def root() -> Path:
    """$GLACIC_CACHE, or glacic/ in the user's cache directory."""
    own = os.environ.get("GLACIC_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "glacic"


@contextlib.contextmanager
def locked(folder: Path):
    """Holds the lock of a folder in the cache, which is made if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
