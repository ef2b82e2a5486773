"""The shared test vectors, one loop; then what a file of vectors must look like, and that a difference is told."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.errors import InputError
from checker.signals.vector_files import parse_vectors
from checker.signals.vectors import Difference, run_vectors

VECTORS = parse_vectors((Path(__file__).parent / "vectors.json").read_bytes())["vectors"]
NOAI = {"id": "V1", "kind": "x-robots-tag", "input": ["noai"]}
NO_TRAINING = {"train-ai": "deny", "train-genai": "deny"}


def run(*vectors: dict[str, Any]) -> list[Difference]:
    return run_vectors({"vectors": list(vectors)})


def vector(kind: str, given: Any, expected: dict[str, Any], **context: Any) -> dict[str, Any]:
    return {"id": "V1", "kind": kind, "input": given, "context": context, "expected": expected}


@pytest.mark.parametrize("one", VECTORS, ids=lambda one: one["id"])
def test_vector(one: dict[str, Any]) -> None:
    assert run(one) == []


def test_every_vector_is_here() -> None:
    assert [one["id"] for one in VECTORS] == [f"S{number:02}" for number in range(1, 70)]


def test_no_vector_passes_for_another_expectation() -> None:
    # The loop above proves something only if it can fail: each vector is asked for one value that it does not have.
    for one in VECTORS:
        expected = one["expected"]
        other = "allow" if expected["uses"].get("index") == "deny" else "deny"
        (difference,) = run(one | {"expected": expected | {"uses": expected["uses"] | {"index": other}}})
        assert difference.came.to_dict() == expected


def test_a_difference_tells_what_was_expected_and_what_came() -> None:
    wrong = {"crawl": "deny", "uses": {"search": "allow"}, "malformed": True}
    (difference,) = run(NOAI | {"expected": wrong})
    assert difference.id == "V1"
    assert difference.expected.to_dict() == wrong
    assert difference.came.to_dict() == {"crawl": None, "uses": NO_TRAINING, "malformed": False}


def test_differences_come_in_the_order_of_the_file() -> None:
    vectors = [
        NOAI | {"id": name, "expected": {"uses": uses}} for name, uses in [("b", {}), ("a", NO_TRAINING), ("c", {})]
    ]
    assert [difference.id for difference in run(*vectors)] == ["b", "c"]


def test_what_is_left_out_has_the_default_of_the_vectors() -> None:
    rules = "User-agent: ExampleImageBot\nDisallow: /art/a.jpg$\n\nUser-agent: GPTBot\nDisallow: /\n"
    assert run({"id": "V1", "kind": "robots", "input": rules, "expected": {"crawl": "deny"}}) == []
    allowed = {"id": "V1", "kind": "robots", "input": rules.replace("a.jpg", "b.jpg"), "expected": {"crawl": "allow"}}
    assert run(allowed) == []
    dates = [f"unavailable_after: 2026-11-{day}T00:00:00Z" for day in (22, 23)]
    past, future = ({"id": date, "kind": "x-robots-tag", "input": [date], "expected": {"uses": {}}} for date in dates)
    assert [difference.id for difference in run(past, future)] == [past["id"]]


def test_a_value_may_be_given_as_unspecified() -> None:
    assert (
        run(vector("x-robots-tag", ["none"], {"uses": {"search": "deny", "index": "deny", "tdm": "unspecified"}})) == []
    )
    assert run(vector("x-robots-tag", [], {"crawl": "unspecified"})) == []


def test_doubt_is_not_looked_at() -> None:
    assert run(vector("robots-http", {"error": "timeout"}, {"crawl": "deny"})) == []
    usage = ["train-ai=perhaps, search=y"]
    assert run(vector("content-usage-header", usage, {"uses": {"search": "allow"}, "malformed": True})) == []


def test_the_context_reaches_the_readers() -> None:
    rules = "User-agent: Other\nDisallow: /b/\n\nUser-agent: GPTBot\nDisallow: /b/\n"
    url = "https://img.example/b/c.png"
    assert run(vector("robots", rules, {"crawl": "deny"}, ua="Other", url=url)) == []
    inferred = {"crawl": "allow", "uses": NO_TRAINING}
    assert run(vector("robots", rules, inferred, url=url, infer_ai_tokens=True)) == []
    later = {"uses": {"search": "deny", "index": "deny"}}
    assert run(vector("x-robots-tag", ["unavailable_after: 2027-01-01"], later, now="2027-01-02")) == []
    assert run(vector("x-robots-tag", ["unavailable_after: 2027-01-01"], {}, now="2026-12-31T23:00:00+00:00")) == []


@pytest.mark.parametrize(
    ("context", "uses"),
    [
        ({}, {}),
        ({"resource": "image/jpeg"}, {}),
        ({"resource": "text/html"}, dict.fromkeys(("tdm", "train-ai", "train-genai"), "deny")),
        ({"resource": "Text/HTML; charset=utf-8"}, dict.fromkeys(("tdm", "train-ai", "train-genai"), "deny")),
        ({"target": "page"}, dict.fromkeys(("tdm", "train-ai", "train-genai"), "deny")),
    ],
)
def test_tdmrep_tags_speak_of_their_page_only(context: dict[str, Any], uses: dict[str, str]) -> None:
    html = '<meta name="tdm-reservation" content="1">'
    assert run(vector("tdmrep", {"html": html}, {"uses": uses}, **context)) == []


def test_headers_of_several_kinds_are_one_response() -> None:
    given = {
        "x-robots-tag": ["noindex"],
        "tdmrep": {"headers": [["TDM-Reservation", "1"]]},
        "http-status": {"status": 404, "headers": [["Content-Usage", "search=y, train-ai=y"]]},
    }
    # Permissions on an error page are not counted, refusals are.
    uses = dict.fromkeys(("search", "index", "tdm", "train-ai", "train-genai"), "deny")
    assert run(vector("combine", given, {"uses": uses})) == []


@pytest.mark.parametrize(
    ("kind", "given", "uses"),
    [
        ("ai.txt", {"status": 404, "body": "User-agent: *\nDisallow: /"}, {}),
        ("ai.txt", {"status": 200, "content_type": "text/html", "body": "User-agent: *\nDisallow: /"}, {}),
        (
            "ai.txt",
            {"status": 200, "body": "User-agent: exampleimagebot\nAllow: /"},
            dict.fromkeys(NO_TRAINING, "allow"),
        ),
        ("trust.txt", "datatrainingallowed=yes", dict.fromkeys(NO_TRAINING, "allow")),
        ("tdm-ai", {"iscc": "ISCC:A", "search": "true"}, {"search": "allow"}),
        ("tdm-ai", '{"iscc": "ISCC:A", "search": "true"}', {"search": "allow"}),
        ("http-status", {"status": 200}, {}),
    ],
)
def test_kinds_that_stand_alone(kind: str, given: Any, uses: dict[str, str]) -> None:
    assert run(vector(kind, given, {"uses": uses})) == []


LICENCE = '<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>{}</license></content></rsl>'


def test_a_licence_is_found_by_its_pointers() -> None:
    given = {
        "robots": "License: https://img.example/global.xml\n\nUser-agent: *\nLicense: https://img.example/group.xml\n",
        "licenses": {
            "https://img.example/global.xml": LICENCE.format('<prohibits type="usage">all</prohibits>'),
            "https://img.example/group.xml": LICENCE.format('<prohibits type="usage">ai-train</prohibits>'),
        },
    }
    # A licence in the group replaces those outside of groups.
    assert run(vector("rsl", given, {"uses": NO_TRAINING})) == []
    link = [["Link", '<https://img.example/l.xml>; rel="license"; type="application/rsl+xml"']]
    licences = {"https://img.example/l.xml": LICENCE.format('<prohibits type="usage">search</prohibits>')}
    assert run(vector("rsl", {"headers": link, "licenses": licences}, {"uses": {"search": "deny"}})) == []


def test_a_robots_txt_that_refuses_the_address_points_at_no_licence() -> None:
    url = "https://img.example/l.xml"
    refused = LICENCE.format('<prohibits type="usage">search</prohibits>')
    robots = f"User-agent: *\nDisallow: /art/\nLicense: {url}\n"
    assert run(vector("rsl", {"robots": robots, "licenses": {url: refused}}, {})) == []


def test_the_licences_of_a_combine_are_those_that_its_other_parts_point_at() -> None:
    url = "https://img.example/l.xml"
    licences = {"licenses": {url: LICENCE.format('<prohibits type="usage">ai-train</prohibits>')}}
    robots = {"robots": f"License: {url}\nUser-agent: *\nAllow: /\n", "rsl": licences}
    assert run(vector("combine", robots, {"crawl": "allow", "uses": NO_TRAINING})) == []
    page = {"html-meta": f'<link rel=license type="application/rsl+xml" href="{url}">', "rsl": licences}
    assert run(vector("combine", page, {"uses": NO_TRAINING})) == []


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:tdm="http://www.w3.org/ns/tdmrep/" tdm:reservation="{}"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize(
    ("file", "header", "xmp", "stance"),
    [
        (None, None, "1", "deny"),
        (None, None, "0", "allow"),
        (None, "1", "0", "allow"),
        (None, "0", "1", "deny"),
        ('[{"location": "/", "tdm-reservation": 1, "tdm-policy": "https://a.example/p"}]', None, "1", "conditional"),
        ('[{"location": "/", "tdm-reservation": 1}]', "0", "", "allow"),
    ],
)
def test_what_a_pdf_says_itself_supersedes_its_file_and_headers(
    file: str | None, header: str | None, xmp: str, stance: str
) -> None:
    # TDMRep, processing priority: "TDM Metadata in every EPUB or PDF file ... supercede previous values".
    given = {
        "file": None if file is None else {"status": 200, "body": file},
        "headers": None if header is None else [["TDM-Reservation", header]],
        "xmp": XMP.format(xmp) if xmp else XMP.replace(' tdm:reservation="{}"', ""),
    }
    uses = dict.fromkeys(("tdm", "train-ai", "train-genai"), stance)
    assert run(vector("tdmrep", given, {"uses": uses}, resource="application/pdf")) == []


def test_a_licence_that_is_not_among_the_licences_is_missing() -> None:
    conditional = dict.fromkeys(("train-ai", "train-genai", "tdm", "search", "index", "all"), "conditional")
    robots = {"robots": "User-agent: *\nLicense: https://img.example/l.xml\n"}
    assert run(vector("rsl", robots, {"uses": conditional})) == []


def test_a_byte_that_is_no_text_is_written_as_python_reads_it() -> None:
    document = b'{"vectors": [{"id": "V1", "kind": "trust.txt", "input": "#\\udce9\\ndatatrainingallowed=\\udcff",'
    assert run_vectors(parse_vectors(document + b'"expected": {"malformed": true}}]}')) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "robot"}, "vector V1: kind should be one of robots, robots-http"),
        ({"kind": None}, "vector V1: kind should be one of"),
        ({"input": "noai"}, "vector V1: input should be a list"),
        ({"input": ["noai", 5]}, "vector V1: input[1] should be text"),
        ({"input": ["\ud800"], "kind": "robots"}, "vector V1: input should be text"),
        ({"input": "\ud800", "kind": "robots"}, "vector V1: input should be text without lone surrogates"),
        ({"context": []}, "vector V1: context should be an object"),
        ({"context": {"agent": "X"}}, "vector V1: context.agent should be left out; known here are ua, url"),
        ({"context": {"target": "img"}}, "vector V1: context.target should be one of image, page"),
        ({"context": {"now": "today"}}, "vector V1: context.now should be an ISO 8601 date or time"),
        ({"context": {"infer_ai_tokens": 1}}, "vector V1: context.infer_ai_tokens should be true or false"),
        ({"expected": None}, "vector V1: expected should be an object"),
        ({"expected": {"crawl": "no"}}, "vector V1: expected.crawl should be one of allow, deny"),
        (
            {"expected": {"uses": {"ai": "deny"}}},
            "vector V1: expected.uses.ai should be left out; known here are train-ai",
        ),
        ({"expected": {"uses": {"tdm": "unknown"}}}, "vector V1: expected.uses.tdm should be one of allow, deny"),
        ({"expected": {"malformed": "no"}}, "vector V1: expected.malformed should be true or false"),
        ({"kind": "robots-http", "input": {"status": "200"}}, "vector V1: input.status should be a whole number"),
        ({"kind": "robots-http", "input": {"code": 200}}, "vector V1: input.code should be left out"),
        ({"kind": "http-status", "input": {}}, "vector V1: input.status should be a whole number"),
        ({"kind": "tdmrep", "input": {"headers": [["a"]]}}, "vector V1: input.headers[0] should be a name and a value"),
        ({"kind": "tdm-ai", "input": []}, "vector V1: input should be an object"),
        ({"kind": "combine", "input": {"combine": {}}}, "vector V1: input.combine should be left out"),
        ({"kind": "combine", "input": {"robots": 1}}, "vector V1: input.robots should be text"),
        (
            {"kind": "combine", "input": {"robots": "", "robots-http": {"status": 404}}},
            "vector V1: input.robots-http should be left out: another part gives the robots already",
        ),
        ({"id": ""}, "vector number 1: id should be text that is not empty"),
        ({"id": None}, "vector number 1: id should be text that is not empty"),
        ({"context": {"url": "a.jpg"}}, "vector V1: context.url should be an address that starts with https:// or"),
    ],
)
def test_a_bad_vector_is_refused_by_its_name_and_member(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(NOAI | {"expected": {}} | changed)
    assert str(caught.value).startswith(message)


def test_an_id_stands_once() -> None:
    good = NOAI | {"expected": {"uses": NO_TRAINING}}
    with pytest.raises(InputError, match="vectors number 1 and 3 have one id, V1; give each its own"):
        run(good, good | {"id": "V2"}, good)
    with pytest.raises(InputError, match="vector number 2 should be an object"):
        run_vectors({"vectors": [good, "V2"]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"null", "the vectors are missing"),
        (b"{}", "the vectors are missing"),
        (b'{"vectors": {}}', "the vectors are missing"),
        (b'"vectors"', "the vectors are missing"),
        (b'{"vectors": []}', "the list of vectors is empty"),
        (b"[]", "the list of vectors is empty"),
        (b"", "the vectors are no JSON: Expecting value at line 1, column 1"),
        (b'{"vectors": [\n {"id": }]}', "the vectors are no JSON: Expecting value at line 2, column 9"),
        (b"\xff", "the vectors are no UTF-8 from byte 0 on"),
        ('{"vectors": []}'.encode("utf-16"), "the vectors are no UTF-8 from byte 0 on"),
        (b"[" * 100_000, "the vectors are nested too deeply"),
        (b'{"vectors": [{"id": "V1", "input": NaN}]}', "NaN stands in the vectors"),
        (b'{"vectors": [{"id": "V1", "input": -Infinity}]}', "-Infinity stands in the vectors"),
        (b'{"vectors": [{"id": "V1", "kind": "rsl", "kind": "xmp"}]}', "kind stands twice in one object of vector V1"),
        (b'{"vectors": [{"id": "V1", "input": {"status": ' + b"9" * 5000 + b"}}]}", "a number in the vectors has too"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_file_that_is_no_list_of_vectors_is_refused_with_what_is_wrong(content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_vectors(content)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("form", ['\ufeff{"vectors": [%s]}', '{"about": "x", "vectors": [%s]}', "[%s]"])
def test_a_file_is_an_object_with_the_list_or_the_list_itself(form: str) -> None:
    one = '{"id": "V1", "kind": "x-robots-tag", "input": [], "expected": {}}'
    assert run_vectors(parse_vectors((form % one).encode())) == []


def test_null_stands_for_what_is_left_out() -> None:
    context = dict.fromkeys(("ua", "url", "infer_ai_tokens", "now", "target", "resource"))
    nothing = {"crawl": None, "uses": None, "malformed": None}
    assert run({"id": "V1", "kind": "x-robots-tag", "input": [], "context": context, "expected": nothing}) == []
    timeout = {"status": None, "body": None, "redirects": None, "error": "timeout"}
    assert run(vector("robots-http", timeout, {"crawl": "deny"})) == []
    ai_txt = {"status": 200, "content_type": None, "body": "User-agent: *\nDisallow: /", "error": None}
    assert run(vector("ai.txt", ai_txt, {"uses": NO_TRAINING | {"search": None}})) == []
    parts = {"file": None, "headers": None, "html": None, "xmp": None}
    assert run(vector("tdmrep", parts, {})) == []
    assert run(vector("rsl", {"doc": None, "robots": None, "licenses": None}, {})) == []
    assert run(vector("combine", {"tdmrep": None, "trust.txt": "datatrainingallowed=no"}, {"uses": NO_TRAINING})) == []


def test_a_vector_may_hold_the_same_number_of_braces_as_json_can_read() -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"a": deep}
    assert run(vector("tdm-ai", deep, {"malformed": True})) == []


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["deny", "image", "noai"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["status", "body", "headers", "html", "crawl", "uses", "url", "now", "tdm", "robots"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
KINDS = [
    *("robots", "robots-http", "content-usage-header", "content-signal-header", "x-robots-tag", "html-meta", "tdmrep"),
    *("xmp", "c2pa", "rsl", "ai.txt", "trust.txt", "tdm-ai", "http-status", "combine"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), VALUES, VALUES, VALUES)
def test_whatever_stands_in_a_file_only_input_errors_come_out(
    kind: str, given: Any, context: Any, expected: Any
) -> None:
    one = {"id": "V1", "kind": kind, "input": given, "context": context, "expected": expected}
    with contextlib.suppress(InputError):
        assert len(run(one)) <= 1
