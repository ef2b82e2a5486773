"""Every endpoint of the API as a method. What is sent stands in the method's name and arguments, and is nothing else.

Signed and binary things (checkpoints, tiles, openings, private lists) come as their bytes: who follows a feed or
compares half codes proves them (checker/optout, checker/private_check). Everything else is read into frozen values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from checker.client.answers import (
    AuditCount,
    AuditCounts,
    BulkJob,
    BulkJobs,
    Deleted,
    OptOutStatus,
    Ready,
    RecordedOptOut,
    SourceFacts,
    Sources,
    Statement,
    Statements,
    Stats,
    Transparency,
)
from checker.client.asking import Asker
from checker.client.reports import BulkAnswer, read_match, read_report, read_rows
from checker.errors import InputError
from checker.model import Fingerprint, Picture, Unreadable, Variant
from checker.remote import Reply
from checker.report import Match, Report

JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE = "application/json", "application/x-ndjson"
_ANSWER_BYTES_MAX = 8 * 2**20
_NOTE_BYTES_MAX = 2**20
_KEY_BYTES_MAX = 4096
_TILE_BYTES_MAX = 256 * 34
"""A full bundle: 256 leaves of 32 bytes, each after 2 bytes of length (C2SP tlog-tiles)."""
_PAGE_BYTES_MAX = 64 * 2**20
"""A page of openings: 10,000 lines at most, of a kilobyte as a rule."""
_LIST_BYTES_MAX = 64 * 2**20
"""Of the private check: four million rows; a server that follows docs/private.md sends 3.3 MB at the most as a list."""
_SKETCH_BYTES_MAX = 8 * 2**20
"""Half a million rows: 0.21 % of 240 million."""
_RESULTS_BYTES_MAX = 512 * 2**20
_OPT_OUTS, _BULK = "/v1/opt-outs", "/v1/bulk-lookups"

Codes = Picture | Sequence[Fingerprint]


class Client(Asker):
    """A service, by its address. Opens no connection before something is asked, and keeps none.

    Every method raises RemoteProblemError where the server refuses (its `kind` is that of docs/api.md), and RemoteError
    where nothing was answered or the answer is of another form. A busy server is asked again, up to a bound.
    """

    # --- look-ups ----------------------------------------------------------------------------------------------

    def look_up(self, codes: Codes | Unreadable) -> Report:
        """Is this photo there? Sends its codes.

        Raises:
            InputError: there is no picture, or too little is in it to tell it from others.
        """
        body = json.dumps({"codes": codes_document(_usable(codes))}).encode()
        reply = self.post("/v1/lookups", body, JSON_MEDIA_TYPE, bytes_max=_ANSWER_BYTES_MAX)
        return read_report(self, reply.body)

    def look_up_picture(self, body: bytes) -> Report:
        """The same by the bytes of a picture file, which finds more: sends the picture itself."""
        reply = self.post("/v1/lookups", body, "application/octet-stream", bytes_max=_ANSWER_BYTES_MAX)
        return read_report(self, reply.body)

    def image(self, handle: str, *, withdraw_code: str | None = None) -> Match:
        """Where a picture of an answer was seen, for a day.

        Args:
            withdraw_code: of an opt-out of the picture: what others are not told is shown.
        """
        who = f"Receipt {withdraw_code}" if withdraw_code else None
        path = f"/v1/images/{quote(handle, safe='')}"
        return read_match(self, self.get(path, bytes_max=_ANSWER_BYTES_MAX, authorization=who).body)

    def private_list(self, *, etag: str = "") -> Reply:
        """The list of the day (docs/private.md); status 304 and no body: the one with this ETag is good still."""
        expected = (200, 304) if etag else (200,)
        return self.get("/v1/private/list", bytes_max=_LIST_BYTES_MAX, if_none_match=etag, expected=expected)

    def private_sketches(self, sketches: Sequence[int]) -> Iterator[bytes]:
        """The rows around each of these sketches of 16 bits, in their order."""
        paths = [f"/v1/private/sketches/{sketch:04x}" for sketch in sketches]
        return (reply.body for reply in self.get_many(paths, bytes_max=_SKETCH_BYTES_MAX))

    # --- opt-outs ----------------------------------------------------------------------------------------------

    def opt_out(self, pictures: Iterable[Codes], uses: Sequence[str] = ()) -> RecordedOptOut:
        """Say no for these pictures; to all uses where none is named. Sends their codes."""
        asked: dict[str, Any] = {"pictures": [{"codes": codes_document(_usable(codes))} for codes in pictures]}
        if uses:  # an empty list names none of them, and is refused
            asked["uses"] = [str(use) for use in uses]
        body = json.dumps(asked).encode()
        reply = self.post(_OPT_OUTS, body, JSON_MEDIA_TYPE, bytes_max=_ANSWER_BYTES_MAX, expected=201)
        return self.read(RecordedOptOut, reply.body, "record of an opt-out")

    def opt_out_status(self, number: str, withdraw_code: str) -> OptOutStatus:
        """How it stands, and what its holder alone is told."""
        reply = self.get(_opt_out(number), bytes_max=_ANSWER_BYTES_MAX, authorization=f"Receipt {withdraw_code}")
        return self.read(OptOutStatus, reply.body, "status of an opt-out")

    def receipt(self, number: str, withdraw_code: str) -> dict[str, Any]:
        """The receipt once more, as a document that is not verified yet."""
        reply = self.get(
            f"{_opt_out(number)}/receipt", bytes_max=_ANSWER_BYTES_MAX, authorization=f"Receipt {withdraw_code}"
        )
        return self.read(dict[str, Any], reply.body, "receipt")

    def alerts(self, address: str, *, language: str | None = None) -> bytes:
        """New copies since an opt-out, as an Atom feed (RFC 4287).

        Args:
            address: `alerts` of the opt-out or its status, or the secret at its end. This server is asked, whatever
                server it names.
            language: of the words in the feed ("de").
        """
        token = urlsplit(address).path.rpartition("/")[2]
        path = f"/v1/alerts/{quote(token, safe='')}" + (f"?language={quote(language)}" if language else "")
        return self.get(path, bytes_max=_ANSWER_BYTES_MAX).body

    def withdraw(self, number: str, withdraw_code: str) -> OptOutStatus:
        """Take it back: the status after that."""
        return self._end(_opt_out(number), withdraw_code)

    def erase(self, number: str, withdraw_code: str) -> OptOutStatus:
        """Have erased what it says: the status after that."""
        return self._end(f"{_opt_out(number)}?erase=true", withdraw_code)

    # --- the feed, and what operators state ----------------------------------------------------------------------

    def feed_key(self) -> str:
        """The verifier key that the server names."""
        return self.get("/v1/feed/key", bytes_max=_KEY_BYTES_MAX).body.decode("ascii", errors="replace").strip()

    def feed_checkpoint(self) -> bytes:
        """The newest signed checkpoint."""
        return self.get("/v1/feed/checkpoint", bytes_max=_NOTE_BYTES_MAX).body

    def feed_tile(self, path: str) -> bytes | None:
        """A tile ("tile/0/000", "tile/entries/000.p/5"). None: there is none."""
        return _found(self.get(f"/v1/feed/{path}", bytes_max=_TILE_BYTES_MAX, expected=(200, 404)))

    def feed_tiles(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        """As `feed_tile` for each of these, several at once."""
        asked = [f"/v1/feed/{path}" for path in paths]
        return map(_found, self.get_many(asked, bytes_max=_TILE_BYTES_MAX, expected=(200, 404)))

    def feed_openings(self, start: int) -> list[bytes]:
        """A page of openings from index `start` on; empty: that was all. Needs a key of scope feed."""
        path = f"/v1/feed/openings?from={start}"
        return self.get(path, bytes_max=_PAGE_BYTES_MAX, keyed=True).body.splitlines()

    def honours(self) -> list[Statement]:
        """What operators state, newest first."""
        return self.read(Statements, self._facts("/v1/honours"), "list of statements").statements

    def state(self, *, feed_size: int, root: str, rows_in: int, rows_out: int, report_digest: str) -> Statement:
        """State what was filtered by the feed. Needs a key of scope honour."""
        said = {
            "feed_size": feed_size,
            "root": root,
            "rows_in": rows_in,
            "rows_out": rows_out,
            "report_digest": report_digest,
        }
        body = json.dumps(said).encode()
        reply = self.post("/v1/honours", body, JSON_MEDIA_TYPE, bytes_max=_NOTE_BYTES_MAX, keyed=True, expected=201)
        return self.read(Statement, reply.body, "statement")

    # --- many look-ups at once: need a key of scope bulk -----------------------------------------------------------

    def bulk_create(self, rows: Iterable[tuple[str, Codes]], *, purpose: str, case: str) -> BulkJob:
        """Send a list: a name that means nothing to others, and codes, for each picture (docs/bulk.md)."""
        lines = (json.dumps({"id": name, "codes": codes_document(_usable(codes))}) + "\n" for name, codes in rows)
        path = f"{_BULK}?{urlencode({'purpose': purpose, 'case': case}, quote_via=quote)}"
        reply = self.post(
            path, "".join(lines).encode(), NDJSON_MEDIA_TYPE, bytes_max=_NOTE_BYTES_MAX, keyed=True, expected=202
        )
        return self.read(BulkJob, reply.body, "list of look-ups")

    def bulk_list(self) -> list[BulkJob]:
        """The lists of this key, newest first."""
        return self.read(BulkJobs, self._facts(_BULK, keyed=True), "list of lists").jobs

    def bulk_status(self, job: str) -> BulkJob:
        """How far a list is."""
        return self.read(BulkJob, self._facts(f"{_BULK}/{job}", keyed=True), "list of look-ups")

    def bulk_results(self, job: str, *, reason: str | None = None) -> Iterator[BulkAnswer]:
        """The answers so far, in the order of the list; addresses only where it is said what they are for.

        Without a reason the handle of a match is empty, unless its places are withheld (docs/bulk.md).
        """
        path = f"{_BULK}/{job}/results" + (f"?reason={quote(reason)}" if reason else "")
        return read_rows(self, self.get(path, bytes_max=_RESULTS_BYTES_MAX, keyed=True).body)

    def bulk_delete(self, job: str) -> None:
        """A list, its codes and answers are gone."""
        reply = self.delete(f"{_BULK}/{job}", bytes_max=_NOTE_BYTES_MAX, keyed=True)
        self.read(Deleted, reply.body, "word that a list was deleted")

    # --- facts -------------------------------------------------------------------------------------------------

    def audit_key(self) -> str:
        """The key that the checkpoints of the audit log verify under."""
        return self.get("/v1/audit/key", bytes_max=_KEY_BYTES_MAX).body.decode("ascii", errors="replace").strip()

    def audit_checkpoint(self) -> bytes:
        """Signed size and root of the log of what was done with keys."""
        return self.get("/v1/audit/checkpoint", bytes_max=_NOTE_BYTES_MAX).body

    def audit_counts(self) -> list[AuditCount]:
        """What holders of keys did, by month and purpose."""
        return self.read(AuditCounts, self._facts("/v1/audit/counts"), "list of counts").counts

    def sources(self) -> list[SourceFacts]:
        """Every source with what it holds."""
        return self.read(Sources, self._facts("/v1/sources"), "list of sources").sources

    def source(self, source_id: str) -> SourceFacts:
        """One of them, by the `source.id` of a sighting."""
        return self.read(SourceFacts, self._facts(f"/v1/sources/{quote(source_id, safe='')}"), "source")

    def transparency(self) -> Transparency:
        """What the service did, by month: look-ups, opt-outs, and what was done with keys."""
        return self.read(Transparency, self._facts("/v1/transparency"), "list of months")

    def stats(self) -> Stats:
        """Figures."""
        return self.read(Stats, self._facts("/v1/stats"), "list of figures")

    def ready(self) -> Ready:
        """Can it answer?"""
        return self.read(Ready, self._facts("/readyz"), "word of readiness")

    # --- inside ------------------------------------------------------------------------------------------------

    def _facts(self, path: str, *, keyed: bool = False) -> bytes:
        return self.get(path, bytes_max=_ANSWER_BYTES_MAX, keyed=keyed).body

    def _end(self, path: str, withdraw_code: str) -> OptOutStatus:
        reply = self.delete(path, bytes_max=_ANSWER_BYTES_MAX, authorization=f"Receipt {withdraw_code}")
        return self.read(OptOutStatus, reply.body, "status of an opt-out")


def codes_document(codes: Codes) -> dict[str, dict[str, str]]:
    """The codes of a whole picture as the API takes them, and as `hibs fingerprint --json` writes them."""
    whole = codes.fingerprints if isinstance(codes, Picture) else codes
    return {
        code.kind.name: {"version": code.kind.version, "hex": code.hex}
        for code in whole
        if code.variant is Variant.WHOLE
    }


def _usable(codes: Codes | Unreadable) -> Codes:
    if isinstance(codes, Unreadable):
        raise InputError(f"there is no picture to ask about: {codes.detail}")
    if isinstance(codes, Picture) and codes.plain:
        raise InputError("too little is in this picture to tell it from others, so nobody is asked about it")
    return codes


def _opt_out(number: str) -> str:
    return f"{_OPT_OUTS}/{quote(number, safe='')}"


def _found(reply: Reply) -> bytes | None:
    return reply.body if reply.status == 200 else None
