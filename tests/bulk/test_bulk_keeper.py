"""The thread that keeps a worker at work: what it does when none can be started."""

from __future__ import annotations

import queue
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.audit.cases import Purpose
from checker.bulk import keeper as keeper_module
from checker.bulk.jobs import BulkJobs, Cause
from checker.bulk.keeper import Keeper
from checker.keys import CaseRules, Scope, create_key, verify_key
from checker.records.folder import DataFolder
from checker.records.registry import Registry
from checker.settings import Settings


def test_a_worker_that_cannot_be_started_is_said_and_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setattr(keeper_module, "_REST_S", 0.0)
    DataFolder.open(tmp_path, create=True).close()
    with closing(Registry.open(tmp_path / "registry.db")) as registry:
        rules = CaseRules(frozenset({Purpose.COMPLAINT}), "AZ-####")
        text = create_key(registry, name="NGO", scopes=[Scope.BULK], now=now, bulk=rules)
        holder = verify_key(registry, text, scope=Scope.BULK, now=now)
        assert holder
        jobs = BulkJobs(tmp_path, registry, Settings())
        with jobs.intake() as intake:
            intake.feed(b'{"codes": {"phash256": {"version": "1", "hex": "%s"}}}\n' % (b"0f" * 32))
            made = jobs.add(intake, holder, Cause("complaint", "AZ-2041"), now=now)
        said: queue.Queue[str] = queue.Queue()
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", str(tmp_path / "no-python"))
            kept = Keeper(jobs, said.put, lambda: now)
            assert said.get(timeout=60).startswith("bulk look-ups stopped: ")
        with closing(kept):
            end_s = time.monotonic() + 60
            while (job := jobs.one(holder, made.name, now=now)) and not job.rows_done:
                assert time.monotonic() < end_s
