"""The table that a journal is, and how its file is opened: what is no journal is refused and left as it is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from rebalancer.errors import ConfigError, JournalError

SCHEMA_VERSION = 1
BUSY_MS = 5000
LOGS = ("-wal", "-journal")  # of SQLite, beside a database: what they hold is written into it when it is opened
HEADER_BYTES = 100  # of an SQLite file; one that is shorter passes for a new database
_SCHEMA = """
CREATE TABLE journal (
    seq        INTEGER PRIMARY KEY,
    run_id     TEXT NOT NULL,
    intent_seq INTEGER,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    t_wall     TEXT NOT NULL,
    t_exch     TEXT NOT NULL,
    prev_hash  TEXT NOT NULL,
    hash       TEXT NOT NULL,
    fence      INTEGER NOT NULL
) STRICT;
CREATE INDEX journal_run ON journal (run_id, seq);
CREATE INDEX journal_kind ON journal (kind, seq);
CREATE TRIGGER journal_takes_the_next BEFORE INSERT ON journal
    WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM journal)  -- REPLACE would pass the trigger on DELETE
    BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER journal_keeps_rows BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER journal_keeps_text BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
"""


def connect(place: str) -> sqlite3.Connection:
    """Return a connection that begins no transaction by itself."""
    return sqlite3.connect(place, isolation_level=None)


def require_not_emptied(path: Path) -> None:
    """Refuse to begin anew, without limits used and orders open, in a file that lost what it held."""
    if path.is_file() and path.stat().st_size < HEADER_BYTES:
        raise JournalError(
            f"{path}: row 1 is missing, the file is empty; restore a backup, or delete the file to begin a new one"
        )


def require_no_orphaned_log(path: Path) -> None:
    """Raise ConfigError where a journal left only its log: SQLite would replay that into whatever comes there."""
    for ending in LOGS:
        log = path.with_name(f"{path.name}{ending}")
        if log.is_file() and log.stat().st_size:
            raise ConfigError(
                f"{log}: the journal that this log is a part of is not here any more, and its rows would be mixed into "
                "another one; move it to where that journal is now, or delete it if that is lost for good"
            )


def make_new(path: Path) -> None:
    """Put a new journal in its place whole: a first start that dies half-way leaves nothing there to be refused."""
    beside = path.with_name(f".{path.name}.new")
    for left_over in (beside, *(beside.with_name(beside.name + ending) for ending in ("-journal", "-wal", "-shm"))):
        left_over.unlink(missing_ok=True)
    with closing(connect(str(beside))) as database:
        prepare(database, str(beside))
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def prepare(database: sqlite3.Connection, place: str) -> None:
    """Make a blank database a journal; refuse any other that is none, before anything in it is changed."""
    database.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    blank = version == 0 and not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not blank:
        require_version(database, place)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    if blank:
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def is_journal(path: Path) -> bool:
    """Return whether a file is a journal of any version; it is not changed."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        try:
            query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'journal'"
            return bool(database.execute(query).fetchone()[0])
        except sqlite3.DatabaseError:
            return False


def require_version(database: sqlite3.Connection, place: str) -> None:
    """Raise JournalError unless this is a journal of the version that this program knows."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise JournalError(f"{place}: journal version {version}, this program knows {SCHEMA_VERSION}; nothing was done")
