"""What answers about opt-outs hold, for `/openapi.json`; see `told.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.told import LocatorTold, ReceiptTold, SourceTold, Time, Told

Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="UTC.")]


class RecordedTold(Told):
    """What whoever opted out takes home."""

    number: str
    receipt: Annotated[
        ReceiptTold | None, Field(description="Null while it is held: `GET /v1/opt-outs/{number}/receipt` later.")
    ]
    withdraw_code: str
    withdraw_text: str
    held: Annotated[bool, Field(description="A person looks at it before others are told. Here it hides at once.")]
    alerts: Annotated[
        str, Field(description="Address of an Atom feed of new copies. A secret, and opens nothing else.")
    ]


class StatusTold(Told):
    """How an opt-out stands."""

    number: str
    state: Literal["recorded", "held", "disputed", "withdrawing", "withdrawn", "erased"]
    index: Annotated[int | None, Field(description="Of its entry in the log; null: it has none.")]
    uses: list[str]
    evidence: Literal["code", "picture", "host-file"]
    pictures: int
    addresses: list[str]
    recorded_at: Time
    withdraw_at: Time | None
    reason: Annotated[str | None, Field(description="Why it is held, disputed or was refused.")]


class SeenTold(Told):
    """Where a picture of the opt-out was seen. Addresses are data of others: show them, don't follow them."""

    image_url: str | None
    page_url: str | None
    source: SourceTold
    locator: LocatorTold | None
    first_seen: Annotated[Time, Field(description="When we saw it first; not when it was put there.")]
    last_seen: Time
    new: Annotated[bool, Field(description="First seen after the opt-out.")]
    look: Annotated[
        str, Field(description="What our own last look gave.", examples=["still there on 22 November 2026"])
    ]


class OperatorTold(Told):
    """What is known of one of those who follow the list. What it did, it states itself."""

    operator: str
    received_on: Day | None
    stated_on: Day | None
    stated_size: int | None
    says: Annotated[str, Field(examples=["not heard from"])]


class HolderTold(StatusTold):
    """The same, with what the holder of the withdraw code alone sees."""

    sightings: Annotated[list[SeenTold], Field(description="New ones first, then the newest; 200 at most.")]
    sightings_all: int
    new: int
    operators: list[OperatorTold]
    alerts: Annotated[str | None, Field(description="Address of an Atom feed of new copies; null: it has ended.")]
