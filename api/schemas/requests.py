"""What is read from requests.

Unknown members are refused: a misspelt `uses` that is silently ignored would be a no that nobody hears. What is
refused is never repeated; `invalid_request` tells the place alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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
    uses: Annotated[tuple[str, ...], Field(max_length=len(Use), strict=False)] = tuple(
        use.value for use in DEFAULT_USES
    )

    @model_validator(mode="after")
    def _one_form(self) -> OptOutIn:
        if (self.codes is None) == (not self.pictures):
            raise ValueError("give either codes or pictures")
        return self

    def every_picture(self) -> tuple[CodesIn, ...]:
        """The codes of each picture, whichever form was used."""
        return (self.codes,) if self.codes else tuple(picture.codes for picture in self.pictures)


def read_json(model: type[Model], body: bytes) -> Model:
    """Parse a request body.

    Raises:
        ProblemError: invalid-request, naming the member and never its value.
    """
    try:
        # utf-8-sig: a byte order mark may be ignored, other encodings are not JSON between systems (RFC 8259 8.1).
        text = body.decode("utf-8-sig")
        return model.model_validate(json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant))
    except ValidationError as error:
        raise invalid_request(_places(error)) from None
    except (ValueError, RecursionError):  # ValueError: also broken UTF-8, broken JSON, a number of 5,000 digits
        raise invalid_request() from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose member stands twice says two things, and a parser that takes the last hears one of them."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON (RFC 8259 6)")


def invalid_request(places: Sequence[str] = ()) -> ProblemError:
    """The refusal that says where, in names of the schema, and nothing that was sent."""
    texts = words()
    if not places:
        return ProblemError(ProblemKind.INVALID_REQUEST)
    detail = texts.say("problem.invalid-request.detail", places=", ".join(places))
    return ProblemError(ProblemKind.INVALID_REQUEST, detail, members={"places": list(places)})


def read_codes(codes: CodesIn) -> tuple[Fingerprint, ...]:
    """The codes of one picture.

    Raises:
        ProblemError: not-a-code.
    """
    given = {PHASH256.name: codes.phash256}
    if codes.sscd512:
        given[ROBUST_NAME] = codes.sscd512
    try:
        return tuple(parse_code(kind, code.version, code.hex) for kind, code in given.items())
    except NotACodeError:
        # Its message quotes the kind and version that were given.
        raise ProblemError(ProblemKind.NOT_A_CODE) from None


def read_uses(names: Sequence[str]) -> tuple[Use, ...]:
    """The uses that an opt-out names, none twice, in the order of the vocabulary; `all` stands for the five others.

    Raises:
        ProblemError: invalid-request; one is unknown, or there is none.
    """
    known = {use.value for use in Use}
    if not names or not known.issuperset(names):
        detail = words().say("problem.invalid-request.uses", known=", ".join(use.value for use in Use))
        raise ProblemError(ProblemKind.INVALID_REQUEST, detail, members={"places": ["uses"]})
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


def _places(error: ValidationError) -> tuple[str, ...]:
    """Where, as `codes.phash256.hex`. An unknown member's own name came from outside and is not repeated."""
    places: list[str] = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        location = found["loc"][:-1] if found["type"] == "extra_forbidden" else found["loc"]
        place = ".".join(str(part) for part in location) or "body"
        if place not in places:
            places.append(place)
    return tuple(places[:10])
