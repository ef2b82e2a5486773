"""What is read from requests.

Unknown members are refused: a misspelt `uses` that is silently ignored would be a no that nobody hears. What is
refused is never repeated; `invalid_request` tells the place, and what is wrong with it in words of our own.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from api.problems import ProblemError, ProblemKind
from api.words import words
from checker.errors import NotACodeError
from checker.fingerprint import parse_code
from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, Fingerprint, Use
from checker.optout.entry import USES

DEFAULT_USES = tuple(use for use in Use if use in USES)
"""What a no is about when nothing is named: everything, because doubt is never consent."""
PICTURES_MAX = 500
"""In one opt-out. How many count in a day is a setting."""
PLACES_MAX = 10
"""Named in one refusal."""
_EITHER = "either"
_REASONS = {"missing": "missing", "extra_forbidden": "unknown", _EITHER: "either"}
"""Which sentence tells an error, by the type that pydantic gives it; all others are about a value."""
Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """Refuses unknown members and guesses no types ("1" is not 1)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class CodeIn(Strict):
    """One code. `hibs fingerprint --json` writes it in this form."""

    version: Annotated[str, Field(max_length=20, examples=["1"])]
    hex: Annotated[str, Field(max_length=128, description="Hex digits, most significant bit first.")]


def _form(version: str, bits: int) -> dict[str, Any]:
    """What `parse_code` takes, as JSON Schema: told, and checked there."""
    members = {"version": {"pattern": f"^{version}$"}, "hex": {"pattern": f"^[0-9a-fA-F]{{{bits // 4}}}$"}}
    return {"properties": members}


class CodesIn(Strict):
    """The codes of one picture by kind."""

    phash256: Annotated[CodeIn, Field(json_schema_extra={"allOf": [_form("1", PHASH256.bits)]})]
    sscd512: Annotated[
        CodeIn | None,
        Field(
            json_schema_extra={"if": {"type": "object"}, "then": _form("1-[0-9a-f]{12}", ROBUST_BITS)},
            description="128 hex digits; its version names the model, as `1-240436cc531e`. Codes of another model "
            "than the one in use here are never near.",
        ),
    ] = None


class LookupIn(Strict):
    """A look-up by codes: it finds less than the picture itself, of which also parts are tried."""

    codes: CodesIn


class PictureIn(Strict):
    """One picture of an opt-out."""

    codes: CodesIn


class OptOutIn(Strict):
    """An opt-out by codes: either one picture (`codes`) or several (`pictures`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["codes"], "properties": {"codes": {"type": "object"}, "pictures": {"maxItems": 0}}},
                {"required": ["pictures"], "properties": {"codes": {"type": "null"}, "pictures": {"minItems": 1}}},
            ],
        }
    )
    codes: CodesIn | None = None
    pictures: Annotated[tuple[PictureIn, ...], Field(max_length=PICTURES_MAX, strict=False)] = ()
    # That it names one at least is told here and refused by `read_uses`, which says which there are.
    uses: Annotated[tuple[str, ...], Field(max_length=len(Use), strict=False, json_schema_extra={"minItems": 1})] = (
        tuple(use.value for use in DEFAULT_USES)
    )

    @model_validator(mode="after")
    def _one_form(self) -> OptOutIn:
        if (self.codes is None) == (not self.pictures):
            raise PydanticCustomError(_EITHER, "give either codes or pictures")
        return self

    def every_picture(self) -> dict[str, CodesIn]:
        """The codes of each picture by where they stand in the body, whichever form was used."""
        if self.codes:
            return {"codes": self.codes}
        return {f"pictures.{at}.codes": picture.codes for at, picture in enumerate(self.pictures)}


def read_json(model: type[Model], body: bytes) -> Model:
    """Parse a request body.

    Raises:
        ProblemError: invalid-request, naming the member and never its value.
    """
    try:
        return model.model_validate(_parsed(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise wrong_members((_place(one["loc"], one["type"]), one["type"]) for one in found) from None


def _parsed(body: bytes) -> Any:
    """JSON, read as strictly as RFC 8259 allows.

    Raises:
        ProblemError: invalid-request, saying which rule the text breaks.
    """
    try:
        # utf-8-sig: a byte order mark may be ignored, other encodings are not JSON between systems (RFC 8259 8.1).
        # Text in UTF-16 may be UTF-8 too, full of zeros.
        if json.detect_encoding(body) not in ("utf-8", "utf-8-sig"):
            raise _not_json("encoding")
        text = body.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _not_json("encoding") from None
    except json.JSONDecodeError as error:
        raise _not_json("syntax", line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise _not_json("depth") from None
    except ValueError:  # what is left: a whole number of more than 4,300 digits
        raise _not_json("number") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose member stands twice says two things, and a parser that takes the last hears one of them."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _not_json("twice")
    return members


def _no_constant(_: str) -> None:
    raise _not_json("constant")


def _not_json(why: str, **values: int) -> ProblemError:
    return invalid_request(("body",), words().say(f"problem.invalid-request.json-{why}", **values))


def invalid_request(places: Sequence[str], detail: str = "") -> ProblemError:
    """The refusal that says where, in names of the schema, and nothing that was sent.

    Args:
        places: members or parameters that are wrong; `body` or `query` where what is wrong has no name of ours.
        detail: what is wrong, in one sentence of our own. Empty: that what stands there has another form.
    """
    detail = detail or words().say("problem.invalid-request.wrong", places=", ".join(places))
    return ProblemError(ProblemKind.INVALID_REQUEST, detail, members={"places": list(places)})


def wrong_members(found: Iterable[tuple[str, str]]) -> ProblemError:
    """The refusal of what pydantic found wrong, which tells the missing from the unknown; the first ten places.

    Args:
        found: each place, and the type that pydantic gives the error.
    """
    reasons: dict[str, list[str]] = {}
    told = dict.fromkeys((place, _REASONS.get(kind, "wrong")) for place, kind in found)
    for place, reason in itertools.islice(told, PLACES_MAX):
        reasons.setdefault(reason, []).append(place)
    sentences = (
        words().say(f"problem.invalid-request.{reason}", places=", ".join(at)) for reason, at in reasons.items()
    )
    return invalid_request(tuple(dict.fromkeys(itertools.chain(*reasons.values()))), " ".join(sentences))


def read_codes(codes: CodesIn, place: str = "codes") -> tuple[Fingerprint, ...]:
    """The codes of one picture.

    Args:
        place: where they stand in the body.
    Raises:
        ProblemError: not-a-code, naming the kind that is none.
    """
    given = {PHASH256.name: codes.phash256}
    if codes.sscd512:
        given[ROBUST_NAME] = codes.sscd512
    return tuple(_read_code(kind, code, f"{place}.{kind}") for kind, code in given.items())


def _read_code(kind: str, code: CodeIn, place: str) -> Fingerprint:
    try:
        return parse_code(kind, code.version, code.hex)
    except NotACodeError:
        # Its message quotes the kind and version that were given.
        detail = words().say("problem.not-a-code.detail", place=place)
        raise ProblemError(ProblemKind.NOT_A_CODE, detail, members={"places": [place]}) from None


def read_uses(names: Sequence[str]) -> tuple[Use, ...]:
    """The uses that an opt-out names, none twice, in the order of the vocabulary; `all` stands for the five others.

    Raises:
        ProblemError: invalid-request; one is unknown, or there is none.
    """
    known = {use.value for use in Use}
    if not names or not known.issuperset(names):
        detail = words().say("problem.invalid-request.uses", known=", ".join(use.value for use in Use))
        raise invalid_request(("uses",), detail)
    return DEFAULT_USES if Use.ALL.value in names else tuple(use for use in Use if use.value in names)


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """How OpenAPI describes a body that is a picture or JSON."""
    picture = {"schema": {"type": "string", "format": "binary"}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _inlined(model)},
                "image/*": picture,
                "application/octet-stream": picture,
            },
        }
    }


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema without `$defs`, which OpenAPI would look for elsewhere."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(definitions[node["$ref"].rsplit("/", 1)[1]])
            return {key: resolve(value) for key, value in node.items()}
        return [resolve(item) for item in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def _place(location: tuple[int | str, ...], kind: str) -> str:
    """Where, as `codes.phash256.hex`. An unknown member's own name came from outside and is not repeated."""
    known = location[:-1] if kind == "extra_forbidden" else location
    return ".".join(str(part) for part in known) or "body"
