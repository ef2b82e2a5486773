"""The closer look without JavaScript: one form, one photo, one tick; the answer and each error as a whole page."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_service import IMAGES, Clock, Opener, TestClient, visible
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page
from starlette.testclient import TestClient as StarletteClient
from visitor import Visitor

from api.app import Serving, create_app
from api.rates import Rate
from checker.records.folder import DataFolder
from checker.settings import Settings

pytest_plugins = ("api_service", "visitor")
PAGE = {"Accept": "text/html,application/xhtml+xml"}
TICK = {"send": "yes"}
FORM = "form[enctype='multipart/form-data']"


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def mirrored(name: str) -> bytes:
    with Image.open(IMAGES / name) as image:
        return jpeg(ImageOps.mirror(image))


def photo(data: bytes) -> dict[str, tuple[str, bytes, str]]:
    return {"photo": ("IMG_0001.jpg", data, "image/jpeg")}


def form(*parts: bytes, boundary: bytes = b"x") -> bytes:
    """A form as it goes over the line (RFC 7578), of parts that are already written out."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def part(name: str, value: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


# --- the answer ------------------------------------------------------------------------------------------------


def test_the_answer_is_a_whole_page(service: TestClient, chelsea: bytes) -> None:
    answer = service.post("/closer-look", data=TICK, files=photo(chelsea), headers=PAGE)
    assert answer.status_code == 200
    assert answer.text.startswith('<!doctype html>\n<html lang="en"')
    assert answer.text.count("<h1") == 1
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.content) % 4096 == 0
    shown = visible(answer.text)
    assert "Found: 1 copy" in shown
    assert "https://blog.example/trip" in shown
    assert "hibs opt-out add photo.jpg --server http://127.0.0.1:8000" in shown
    assert "IMG_0001" not in answer.text


def test_it_finds_what_only_the_photo_itself_shows(service: TestClient) -> None:
    answer = service.post("/closer-look", data=TICK, files=photo(mirrored("chelsea.jpg")), headers=PAGE)
    assert "Edited copy (mirrored)" in visible(answer.text)


def test_not_found_is_said_with_what_was_looked_at(service: TestClient, coffee: bytes) -> None:
    shown = visible(service.post("/closer-look", data=TICK, files=photo(coffee), headers=PAGE).text)
    assert "Not found in what we have looked at" in shown
    assert "This is no proof that nobody has it." in shown
    assert "We have looked at 2 pictures in 2 sources" in shown


def test_it_speaks_the_language_of_its_address(service: TestClient, chelsea: bytes) -> None:
    assert 'action="/de/closer-look"' in service.get("/de/").text
    answer = service.post("/de/closer-look", data=TICK, files=photo(chelsea), headers=PAGE)
    assert answer.headers["Content-Language"] == "de"
    assert '<html lang="de"' in answer.text
    refused = service.post("/de/closer-look", files=photo(chelsea), headers=PAGE)
    assert '<html lang="de"' in refused.text


@pytest.mark.parametrize(("path", "start"), [("/closer-look", "/"), ("/de/closer-look", "/de/")])
def test_its_address_alone_leads_to_the_start(service: TestClient, path: str, start: str) -> None:
    answer = service.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, start)


def test_it_is_no_part_of_the_interface_for_programs(service: TestClient) -> None:
    assert not [path for path in service.get("/openapi.json").json()["paths"] if "closer" in path]


# --- what is refused, as pages ---------------------------------------------------------------------------------


def refused(service: TestClient, status: int, kind: str, *sentences: str, **request: object) -> None:
    """The page says what happened and what to do; a program gets the same as JSON."""
    page = service.post("/closer-look", **{"headers": PAGE, **request})  # type: ignore[arg-type]
    assert page.status_code == status
    assert page.headers["Content-Type"].startswith("text/html")
    shown = visible(page.text)
    for sentence in (*sentences, kind):
        assert sentence in shown
    if "headers" not in request:
        problem = service.post("/closer-look", **{"headers": {"Accept": "*/*"}, **request})  # type: ignore[arg-type]
        assert problem.json()["type"] == f"/problems/{kind}"
        assert problem.json()["next"] in shown


INCOMPLETE = "Nothing was looked up, because one photo and the tick that it may be sent are needed."
CHOOSE = "Go back, choose one photo, tick the box, and press the button."


def test_without_the_tick_or_without_one_photo_nothing_is_looked_up(service: TestClient, chelsea: bytes) -> None:
    for request in (
        {"files": photo(chelsea)},
        {"data": {"send": "no"}, "files": photo(chelsea)},
        {"data": {"send": ""}, "files": photo(chelsea)},
        {"data": TICK, "files": {"photo": ("", b"", "application/octet-stream")}},
        {"data": TICK, "files": {"picture": ("a.jpg", chelsea, "image/jpeg")}},
        {"data": {**TICK, "more": "1"}, "files": photo(chelsea)},
        {"data": TICK, "files": [("photo", ("a.jpg", chelsea)), ("photo", ("b.jpg", chelsea))]},
    ):
        refused(service, 422, "invalid-request", INCOMPLETE, CHOOSE, **request)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x--\r\n",
        form(part("photo", b"abc"), part("send", b"yes"))[:-8],
        form(part("photo", b"abc"), part("send", b"yes"), boundary=b"y"),
        form(part("send", b"yes"), part("send", b"yes")),
        form(b"Content-Disposition: form-data\r\n\r\nabc"),
        form(b"X: y\r\n" * 9 + b"\r\nabc"),
        form(b"Content-Disposition: form-data; name=\xff\xfe\r\n\r\nabc"),
        b"\x00" * 100_000,
    ],
    ids=[
        *("empty", "nothing between", "cut off", "another boundary", "two ticks", "no name", "many headers"),
        *("name in no encoding", "zeros"),
    ],
)
def test_what_is_no_such_form_is_refused(service: TestClient, body: bytes) -> None:
    refused(
        service,
        *(422, "invalid-request", INCOMPLETE),
        content=body,
        headers={**PAGE, "Content-Type": "multipart/form-data; boundary=x"},
    )


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "multipart/form-data", "multipart/mixed; boundary=x", "image/jpeg", ""],
)
def test_other_bodies_are_not_read(service: TestClient, chelsea: bytes, media_type: str) -> None:
    refused(service, 415, "unsupported-media-type", content=chelsea, headers={**PAGE, "Content-Type": media_type})


def test_what_is_no_picture_or_too_plain_has_its_sentence(service: TestClient) -> None:
    grey = jpeg(Image.new("RGB", (300, 200), "grey"))
    refused(service, 422, "too-plain", "Try another photo.", data=TICK, files=photo(grey))
    refused(service, 422, "unreadable", "Choose another file: JPEG, PNG, WebP or GIF.", data=TICK, files=photo(b"GIF8"))


def test_the_limits_are_those_of_a_look_up(corpus: Path, clock: Clock, chelsea: bytes) -> None:
    app = create_app(corpus, Settings(picture_bytes_max=20_000), clock=clock, serving=Serving(look_ups=Rate(2, 60)))
    with StarletteClient(app, base_url="http://127.0.0.1:8000", client=("203.0.113.7", 1)) as service:
        refused(service, 413, "too-large", "Save the picture smaller", data=TICK, files=photo(chelsea))
        late = service.post("/closer-look", data=TICK, files=photo(chelsea), headers=PAGE)
        assert late.status_code == 429
        assert int(late.headers["Retry-After"]) > 0
        assert "Many look-ups came from your connection." in visible(late.text)


def test_an_empty_service_says_so(open_service: Opener, tmp_path: Path, chelsea: bytes) -> None:
    DataFolder.open(tmp_path / "empty", create=True).close()
    service = open_service(tmp_path / "empty")
    assert "<form" not in service.get("/").text.partition("<noscript>")[2].partition("</noscript>")[0]
    refused(service, 503, "corpus-empty", "has looked at 0 pictures yet", data=TICK, files=photo(chelsea))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # What a browser sends from our own page: its policy no-referrer makes of the Origin "null" (Fetch, 3.2).
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
    ids=["own page", "own page with a name", "foreign page", "from nowhere", "foreign page with a name"],
)
def test_only_our_own_pages_may_send_the_form(
    service: TestClient, chelsea: bytes, headers: dict[str, str], status: int
) -> None:
    answer = service.post("/closer-look", data=TICK, files=photo(chelsea), headers={**PAGE, **headers})
    assert answer.status_code == status


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.tuples(st.sampled_from(["photo", "send", "x", ""]), st.binary(max_size=40)), max_size=4).map(
            lambda parts: form(*(part(name, value) for name, value in parts))
        ),
    )
)
def test_nothing_that_is_sent_as_a_form_breaks_it(service: TestClient, body: bytes) -> None:
    answer = service.post("/closer-look", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (answer.status_code, answer.json()["type"]) in (
        (422, "/problems/invalid-request"),
        (422, "/problems/unreadable"),
    )


# --- in a browser ----------------------------------------------------------------------------------------------


@pytest.fixture
def without_scripts(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 640})
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


@pytest.mark.browser
def test_a_browser_without_scripts_sends_the_form_and_shows_the_answer(
    without_scripts: Page, server: str, tmp_path: Path
) -> None:
    page = without_scripts
    (tmp_path / "mirrored.jpg").write_bytes(mirrored("chelsea.jpg"))
    page.goto(server)
    page.set_input_files("#closer-photo", tmp_path / "mirrored.jpg")
    page.click(f"{FORM} button")
    assert page.url == f"{server}/", "without the tick the browser sends nothing"
    page.check(f"{FORM} [name=send]")
    page.click(f"{FORM} button")
    page.wait_for_url(f"{server}/closer-look")
    assert "Edited copy (mirrored)" in page.inner_text("main")
    page.click("main a:text('Check another photo')")
    page.wait_for_url(f"{server}/")


@pytest.mark.browser
def test_a_browser_without_scripts_shows_an_error_with_the_next_step(
    without_scripts: Page, server: str, tmp_path: Path
) -> None:
    page = without_scripts
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    page.goto(f"{server}/de/")
    page.set_input_files("#closer-photo", tmp_path / "photo.jpg")
    page.check(f"{FORM} [name=send]")
    page.click(f"{FORM} button")
    page.wait_for_url(f"{server}/de/closer-look")
    assert "unreadable" in page.inner_text("main")
    assert page.get_attribute("html", "lang") == "de"


@pytest.mark.browser
def test_form_and_answer_can_be_used_by_everybody_at_360_px(visit: Visitor) -> None:
    """With scripts, which the checker needs; the form is taken out of its `noscript`, where it is text to a browser."""
    visit.open("/")
    visit.page.evaluate("document.querySelectorAll('noscript').forEach((one) => (one.outerHTML = one.textContent))")
    visit.accessible()
    visit.fits()
    visit.page.set_input_files("#closer-photo", IMAGES / "chelsea.jpg")
    visit.page.check(f"{FORM} [name=send]")
    visit.page.click(f"{FORM} button")
    visit.page.wait_for_url("**/closer-look")
    visit.accessible()
    visit.fits()
