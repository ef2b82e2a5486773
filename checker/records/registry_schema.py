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


@REGISTRY()
def m002_held_requests_addresses_and_operators(db: Database) -> None:
    """A request that is held has no entry in the log yet; requests may name addresses; what operators did and said."""
    for statement in _SECOND.split(";\n"):
        if statement.strip():
            db.execute(statement)


# SQLite cannot take NOT NULL from a column: both tables are made anew, the child dropped before its parent.
_SECOND = """
CREATE TABLE opt_out_new (
    opt_out_id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE,
    log_index INTEGER UNIQUE REFERENCES log_entry, state TEXT NOT NULL, evidence TEXT NOT NULL,
    uses TEXT NOT NULL, pictures INTEGER NOT NULL, withdraw_hash BLOB NOT NULL UNIQUE,
    recorded_at TEXT NOT NULL, withdraw_at TEXT, reason TEXT
) STRICT;
INSERT INTO opt_out_new SELECT *, NULL FROM opt_out;
CREATE TABLE opt_out_code_new (
    code_id INTEGER PRIMARY KEY AUTOINCREMENT, opt_out_id INTEGER NOT NULL REFERENCES opt_out_new,
    picture_no INTEGER NOT NULL, kind TEXT NOT NULL, version TEXT NOT NULL, bits BLOB NOT NULL
) STRICT;
INSERT INTO opt_out_code_new SELECT * FROM opt_out_code;
DROP TABLE opt_out_code;
DROP TABLE opt_out;
ALTER TABLE opt_out_new RENAME TO opt_out;
ALTER TABLE opt_out_code_new RENAME TO opt_out_code;
CREATE INDEX opt_out_code_by_opt_out ON opt_out_code (opt_out_id);
CREATE INDEX opt_out_by_state ON opt_out (state);
CREATE TABLE opt_out_address (
    address_id INTEGER PRIMARY KEY AUTOINCREMENT, opt_out_id INTEGER NOT NULL REFERENCES opt_out,
    address TEXT NOT NULL
) STRICT;
CREATE INDEX opt_out_address_by_opt_out ON opt_out_address (opt_out_id);
CREATE TABLE operator_act (
    act_id INTEGER PRIMARY KEY AUTOINCREMENT, operator TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('received', 'stated')), feed_size INTEGER NOT NULL, root TEXT,
    rows_in INTEGER, rows_out INTEGER, report_digest TEXT, at TEXT NOT NULL
) STRICT;
CREATE INDEX operator_act_by_operator ON operator_act (operator, kind, feed_size)
"""


@REGISTRY()
def m003_audit_and_bulk(db: Database) -> None:
    """What was done with keys, as a second log; what a key for many look-ups may be used for; the look-ups."""
    for statement in _THIRD.split(";\n"):
        if statement.strip():
            db.execute(statement)


# An entry's text and salt go together; what is in the log of it, when and what kind of act it was stay.
_THIRD = """
CREATE TABLE audit (
    audit_index INTEGER PRIMARY KEY CHECK (audit_index >= 0), at TEXT NOT NULL, act TEXT NOT NULL,
    commitment BLOB NOT NULL CHECK (length(commitment) = 32), salt BLOB, holder TEXT, purpose TEXT, case_ref TEXT,
    subject TEXT, amount INTEGER, CHECK ((salt IS NULL) = (holder IS NULL))
) STRICT;
CREATE INDEX audit_by_holder ON audit (holder, audit_index);
CREATE TABLE audit_node (
    level INTEGER NOT NULL, node_index INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, node_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE bulk_right (
    key_name TEXT PRIMARY KEY REFERENCES api_key (name), purposes TEXT NOT NULL, case_pattern TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE bulk_job (
    job_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    key_name TEXT NOT NULL REFERENCES api_key (name), purpose TEXT NOT NULL, case_ref TEXT NOT NULL,
    state TEXT NOT NULL, row_count INTEGER NOT NULL, rows_done INTEGER NOT NULL, rows_found INTEGER NOT NULL,
    rows_bytes INTEGER NOT NULL, results_bytes INTEGER NOT NULL, coverage TEXT, made_at TEXT NOT NULL,
    started_at TEXT, ended_at TEXT
) STRICT;
CREATE INDEX bulk_job_by_key ON bulk_job (key_name, job_id);
CREATE INDEX bulk_job_by_state ON bulk_job (state, job_id)
"""


@REGISTRY()
def m004_counts_of_look_ups(db: Database) -> None:
    """How many look-ups were answered on a day (totals.py)."""
    db.execute(
        "CREATE TABLE look_up_count (day TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, "
        "PRIMARY KEY (day, kind)) STRICT, WITHOUT ROWID"
    )
