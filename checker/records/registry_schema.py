"""The tables of registry.db and how they came to be. Migrations are only ever added."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

REGISTRY = Migrations("registry")


@REGISTRY()
def m001_opt_outs_log_and_keys(db: Database) -> None:
    """The tables of the first version."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.execute(statement)


_FIRST = """
CREATE TABLE log_entry (
    log_index INTEGER PRIMARY KEY CHECK (log_index >= 0), leaf BLOB NOT NULL CHECK (length(leaf) = 32),
    entry BLOB, salt BLOB, CHECK ((entry IS NULL) = (salt IS NULL))
) STRICT;
CREATE TABLE log_node (
    level INTEGER NOT NULL, node_index INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, node_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE opt_out (
    opt_out_id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE,
    log_index INTEGER NOT NULL UNIQUE REFERENCES log_entry, state TEXT NOT NULL, evidence TEXT NOT NULL,
    uses TEXT NOT NULL, pictures INTEGER NOT NULL, withdraw_hash BLOB NOT NULL UNIQUE,
    recorded_at TEXT NOT NULL, withdraw_at TEXT
) STRICT;
CREATE TABLE opt_out_code (
    code_id INTEGER PRIMARY KEY AUTOINCREMENT, opt_out_id INTEGER NOT NULL REFERENCES opt_out,
    picture_no INTEGER NOT NULL, kind TEXT NOT NULL, version TEXT NOT NULL, bits BLOB NOT NULL
) STRICT;
CREATE INDEX opt_out_code_by_opt_out ON opt_out_code (opt_out_id);
CREATE TABLE api_key (
    api_key_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, key_hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL, revoked_at TEXT
) STRICT;
CREATE TABLE day_count (
    day TEXT NOT NULL, subject TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, subject)
) STRICT, WITHOUT ROWID
"""
