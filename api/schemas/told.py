"""What answers hold, for `/openapi.json`. Nothing is answered through these models; tests/api compares them.

`answers(...)` is the `responses` of a route: the models of what goes well, and every problem type that the route has.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPBase
from pydantic import BaseModel, ConfigDict, Field

from api.problems import MEDIA_TYPE, STATUS, ProblemKind
from api.words import words
from checker.audit.entry import Act
from checker.optout.states import State

EVERYWHERE = (
    ProblemKind.INVALID_REQUEST,
    ProblemKind.BAD_HOST,
    ProblemKind.UNSUPPORTED_MEDIA_TYPE,
    ProblemKind.UNAVAILABLE,
    ProblemKind.INTERNAL_ERROR,
)
"""What any request may get: an unknown parameter, a wrong Host, a compressed body, a database that does not answer, our
own mistake."""
WRITING = (ProblemKind.FORBIDDEN_ORIGIN,)
READING_A_BODY = (ProblemKind.TOO_LARGE, ProblemKind.TOO_SLOW, ProblemKind.BUSY)
READING_A_PICTURE = (ProblemKind.UNREADABLE, ProblemKind.TOO_PLAIN, ProblemKind.NOT_A_CODE)
FEED_KEY = HTTPBearer(scheme_name="FeedKey", description="An API key of scope `feed`.", auto_error=False)
WITHDRAW_CODE = HTTPBase(
    scheme="Receipt", scheme_name="WithdrawCode", description="The withdraw code of the opt-out.", auto_error=False
)
"""Both only describe; the routes themselves look at the header."""

Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC.")]
Base64Url = Annotated[str, Field(pattern="^[A-Za-z0-9_-]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
BoxTold = Annotated[
    list[Share],
    Field(min_length=4, max_length=4, description="x0, y0, x1, y1 as shares of width and height, from the top left."),
]
Stance = Literal["allow", "deny", "conditional", "unspecified", "unknown"]


class Told(BaseModel):
    """What an answer holds; nothing else is in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CoverageTold(Told):
    """What an answer rests on."""

    images: int
    sources: int
    newest: Time | None
    checks: Annotated[list[str], Field(description="Kinds of code that were compared: phash256, sscd512.")]


class SourceTold(Told):
    """A source, in a sighting."""

    id: str
    name: str
    kind: Literal["crawl", "folder", "archive", "web-archive", "list"]


class LocatorTold(Told):
    """Where in a source: a file, and a row or a key in it."""

    file: str | None
    row: int | None
    key: str | None
    column: Annotated[str, Field(description="Only where a row has several columns with pictures.")] = ""


class SightingTold(Told):
    """A picture, at a place, from one time to another. Addresses are data of others: show them, don't follow them."""

    image_url: str | None
    page_url: str | None
    caption: str | None
    source: SourceTold
    locator: LocatorTold | None
    first_seen: Time
    last_seen: Time
    verdict: dict[str, Stance]


class WithheldTold(Told):
    """How much is not shown."""

    count: int
    first_seen_month: Annotated[str, Field(pattern=r"^\d{4}-\d\d$")]


class MatchTold(Told):
    """A picture that is near. `withheld` is there exactly when `where` is "withheld"."""

    handle: Annotated[str, Field(description="Opens `GET /v1/images/{handle}` for a day.")]
    kind: Annotated[
        Literal["same", "edited", "possible"],
        Field(description="`possible` is not counted as found: too little agrees, or the codes disagree."),
    ]
    orientation: Annotated[
        Literal[
            "as-is",
            "turned-90",
            "turned-180",
            "turned-270",
            "mirrored",
            "mirrored-turned-90",
            "mirrored-turned-180",
            "mirrored-turned-270",
        ],
        Field(description="How the copy lies, as seen from the asked photo: mirrored first, then turned clockwise."),
    ]
    crop: Annotated[BoxTold | None, Field(description="The part of the asked photo that it shows; null: all.")]
    stored_crop: Annotated[
        BoxTold | None, Field(description="The part of it that is the asked photo; null: all, or not told.")
    ]
    codes: Annotated[
        dict[Literal["phash256", "sscd512"], int],
        Field(description="Distances in bits, of 256 and of 512. Either may be missing."),
    ]
    codes_disagree: Annotated[bool, Field(description="One code says near, another or the tiles that it is not.")]
    expected_chance_matches: Annotated[
        float | None,
        Field(
            description="How many unrelated pictures chance would bring this near in a collection of this size. Holds "
            "for honest pictures: codes can be forged. null: nothing was compared (a handle)."
        ),
    ]
    where: Literal["shown", "withheld"]
    sightings: list[SightingTold]
    withheld: WithheldTold | None = None


class ReportTold(Told):
    """The answer to a look-up."""

    status: Literal["checked", "unreadable", "too-plain"]
    reason: str | None
    coverage: CoverageTold
    matches: list[MatchTold]


class ReceiptTold(Told):
    """The proof that an opt-out was recorded: NUMBER.receipt.json."""

    v: Literal[1]
    origin: str
    key: str
    number: str
    entry: Base64Url
    salt: Base64Url
    leaf: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    index: int
    tree_size: int
    proof: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
    checkpoint: str


class SourceFactsTold(SourceTold):
    """A source with what it holds."""

    images: int
    sightings: int
    gone: Annotated[int, Field(description="Sightings whose address has the picture no more.")]
    listed: Annotated[int | None, Field(description="Rows of a list of addresses; null: it is no list.")]
    first_seen: Time
    last_seen: Time | None
    version: str | None
    run_by: str | None
    """Who made it, as whoever ingested it wrote it down; so are the next two."""
    contact: str | None
    opt_out: str | None


class SourcesTold(Told):
    """All sources."""

    sources: list[SourceFactsTold]


class LogTold(Told):
    """The opt-out log."""

    origin: str
    size: int


class IndexTold(Told):
    """How the index of one kind of code stands. Whatever it lacks is searched from the database: answers are whole."""

    kind: str
    version: str
    codes: Annotated[int, Field(description="Codes that are searched.")]
    segments: int
    tail: Annotated[int, Field(description="Codes newer than the last segment; searched all the same.")]
    bytes: Annotated[int, Field(description="Of its files.")]
    built_at: Annotated[Time | None, Field(description="null: there are no files yet.")]
    damaged: Annotated[int, Field(description="Files that do not hold what was written.")]


class ReadyIndexTold(IndexTold):
    """With the names of the damaged files, for whoever runs the service."""

    damaged_files: list[str]


class StatsTold(Told):
    """Figures."""

    images: int
    images_findable: int
    sightings: int
    pages: int
    sources: int
    newest: Time | None
    log: LogTold
    index: list[IndexTold]


class MonthTold(Told):
    """A count of one month."""

    month: Annotated[str, Field(pattern=r"^\d{4}-\d\d$", description="UTC.")]
    count: int


class LookUpMonthTold(MonthTold):
    """Look-ups that were answered. Of a private check only the fetched half codes can be counted."""

    kind: Literal["look-up", "private-list", "private-sketch"]


class OptOutMonthTold(MonthTold):
    """Opt-outs that were recorded in the month, by how they stand now."""

    state: State


class ActMonthTold(MonthTold):
    """Acts of holders of keys, as the audit log has them."""

    act: Act


class TransparencyTold(Told):
    """What this service did, in numbers."""

    counted_at: Time
    look_ups_since: Annotated[
        str | None, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="The first day counted; null: none yet.")
    ]
    look_ups: list[LookUpMonthTold]
    opt_outs: list[OptOutMonthTold]
    acts: list[ActMonthTold]


class HealthTold(Told):
    """The process answers."""

    status: Literal["ok"]


class ReadyTold(Told):
    """Both databases answer."""

    status: Literal["ready"]
    look_ups: Annotated[
        Literal["ready", "corpus-empty"], Field(description="corpus-empty: nothing was looked at yet; opt-outs work.")
    ]
    images: int
    log_size: int
    index: list[ReadyIndexTold]


def answers(
    model: type[Told] | None = None, *kinds: ProblemKind, status: int = 200, **content: dict[str, Any]
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route.

    Args:
        model: of its JSON.
        kinds: its problems, beside those of every route.
        status: when it went well.
        content: other media types ("/", "+" and "-" spelt "__", "_plus_" and "_") with their schema.
    """
    well: dict[str, Any] = {"model": model} if model else {}
    if content:
        well["content"] = {_media_type(name): {"schema": schema} for name, schema in content.items()}
    described: dict[int | str, dict[str, Any]] = {status: well}
    every = tuple(dict.fromkeys((*kinds, *EVERYWHERE)))
    for kind in every:
        described.setdefault(STATUS[kind], _problems([k for k in every if STATUS[k] == STATUS[kind]]))
    # Without this, FastAPI describes an answer 422 of its own that is never given here.
    described["default"] = _problems([])
    return described


def _media_type(name: str) -> str:
    return name.replace("__", "/").replace("_plus_", "+").replace("_", "-")


def _problems(kinds: list[ProblemKind]) -> dict[str, Any]:
    texts = words()
    members: dict[str, Any] = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "next": {"type": "string", "description": "What to do now."},
        "places": {"type": "array", "items": {"type": "string"}, "description": "Which members are wrong."},
    }
    schema = {"type": "object", "properties": members, "required": ["type", "title", "status", "detail", "next"]}
    if kinds:
        members["type"]["enum"] = [f"/problems/{kind}" for kind in kinds]
        members["status"]["const"] = STATUS[kinds[0]]
    sentences = " ".join(texts.say(f"problem.{kind}.title") for kind in kinds)
    return {"description": sentences or "Any other problem.", "content": {MEDIA_TYPE: {"schema": schema}}}
