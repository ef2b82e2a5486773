"""`/v1/honours`: what operators state that they did with the opt-out list.

A statement names a size of this log and its root at that size, so nobody states anything about a list that never was.
What is behind it, we cannot see: it is told as a statement, with the digest of a report that its maker has to show.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Security
from starlette.concurrency import run_in_threadpool

from api.deps import Service, ServiceDep, is_json, read_json_body, require_key
from api.problems import ProblemError, ProblemKind
from api.schemas.honours import (
    HONOUR_KEY,
    STATEMENTS_TOLD_MAX,
    HonourIn,
    HonoursTold,
    HonourTold,
    honour_body,
)
from api.schemas.requests import invalid_request, read_json
from api.schemas.told import READING_A_BODY, WRITING, answers
from api.words import words
from checker.audit.entry import Act, Done
from checker.audit.log import record
from checker.keys import Scope
from checker.model import utc_text
from checker.optout.operators import stated_words
from checker.optout.tree import root
from checker.records.operators import Statement, add_statement, statements

router = APIRouter(prefix="/v1/honours", tags=["operators"])
BODY_BYTES_MAX = 4096
"""A statement has about 250."""
PER_DAY_MAX = 200
"""Statements of one key: a dataset that is filtered anew every ten minutes, so that one key cannot fill the list."""


@router.post(
    "",
    status_code=201,
    summary="State what was filtered by the opt-out list. Needs a key of scope honour.",
    openapi_extra=honour_body(),
    response_model=None,
    responses=answers(
        HonourTold,
        *WRITING,
        *(kind for kind in READING_A_BODY if kind is not ProblemKind.BUSY),
        *(ProblemKind.UNAUTHORIZED, ProblemKind.WRONG_SCOPE, ProblemKind.RATE_LIMITED),
        status=201,
    ),
    dependencies=[Security(HONOUR_KEY)],
)
async def state(request: Request, service: ServiceDep) -> dict[str, Any]:
    """The statement as it is kept. Sent again with the same report digest, it is the one that was kept before."""
    holder = await run_in_threadpool(require_key, request, service, Scope.HONOUR)
    if not is_json(request):
        raise ProblemError(ProblemKind.UNSUPPORTED_MEDIA_TYPE)
    said = read_json(HonourIn, await read_json_body(request, bytes_max=BODY_BYTES_MAX))
    return _told(await run_in_threadpool(_keep, service, holder.name, said, service.clock()))


@router.get(
    "",
    summary="What operators state that they did. They say so; nobody has checked it.",
    response_model=None,
    responses=answers(HonoursTold),
)
async def list_statements(service: ServiceDep) -> dict[str, Any]:
    """Newest first. What was stated stays, also when the operator's key has ended."""
    found = await run_in_threadpool(statements, service.opt_outs.registry, count=STATEMENTS_TOLD_MAX)
    return {"statements": [_told(statement) for statement in found]}


def _keep(service: Service, operator: str, said: HonourIn, now: datetime) -> Statement:
    """Keep a statement that can be true.

    Raises:
        ProblemError: invalid-request, naming what cannot be: more rows out than in, a list that is longer than ours or
            has another root, a report digest that stands for another statement; rate-limited.
    """
    log, registry = service.opt_outs.log, service.opt_outs.registry
    if said.rows_out > said.rows_in:
        raise _untrue("rows_out")
    if said.feed_size > log.size:
        raise _untrue("feed_size", size=words().number(log.size))
    if root(said.feed_size, registry.node).hex() != said.root:
        raise _untrue("root", origin=log.origin)
    with registry.writing() as writer:
        counted = writer.count_up(f"honours of {operator}", day=now.date(), amount=1, limit=PER_DAY_MAX)
    if not counted:
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)
        raise ProblemError(ProblemKind.RATE_LIMITED, retry_after_s=max(1, int((midnight - now).total_seconds())))
    statement = Statement(operator=operator, stated_at=now, **said.model_dump())
    done = Done(Act.HONOUR_STATED, operator, now, subject=said.report_digest, amount=said.rows_in)
    kept = add_statement(registry, statement, also=lambda writer: record(writer, done))
    if HonourIn(**{name: getattr(kept, name) for name in HonourIn.model_fields}) != said:
        raise _untrue("report_digest")
    service.bulk.audit.sign(now)
    return kept


def _untrue(member: str, **values: str) -> ProblemError:
    return invalid_request(
        (member,), words().say(f"problem.invalid-request.honour-{member.replace('_', '-')}", **values)
    )


def _told(statement: Statement) -> dict[str, Any]:
    return {
        "operator": statement.operator,
        "states": stated_words(statement.feed_size, statement.stated_at),
        "feed_size": statement.feed_size,
        "root": statement.root,
        "rows_in": statement.rows_in,
        "rows_out": statement.rows_out,
        "report_digest": statement.report_digest,
        "stated_at": utc_text(statement.stated_at),
    }
