"""The private check on the start page: what is sent and what is told of it, found and not found, kept as a file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_service import IMAGES
from PIL import Image, ImageOps
from playwright.sync_api import Browser, expect
from visitor import PHONE, Visitor, open_page, serving

pytest_plugins = ("api_service", "visitor")
pytestmark = pytest.mark.browser
LIST = "GET /v1/private/list"
SAID = """
  window.said = [];
  new MutationObserver((changes) => {
    const status = document.getElementById("status");
    if (changes.some(({ target }) => target === status)) said.push(status.textContent);
  }).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture(scope="module")
def large(built_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose collection is too large for one list."""
    data = shutil.copytree(built_corpus, tmp_path_factory.mktemp("large") / "data")
    with serving(data, HIBS_PRIVATE_LIST_ROWS_MAX="1") as address:
        yield address


def mirrored(folder: Path) -> Path:
    with Image.open(IMAGES / "rocket.jpg") as rocket:
        ImageOps.mirror(rocket).save(folder / "mirrored.png")
    return folder / "mirrored.png"


def requests_told(panel: list[str]) -> list[str]:
    return [" ".join(line.split(" ")[:2]) for line in panel]


# --- what is sent -----------------------------------------------------------------------------------------------


def test_choosing_a_photo_sends_nothing_of_it_and_the_panel_says_what_was_asked(visit: Visitor) -> None:
    visit.open("/")
    assert visit.status() == "Choose a photo to begin."
    before = len(visit.requests)
    result = visit.check("coffee.jpg")
    assert visit.asked_since(before) == [LIST]
    assert all(request.post_data is None for request in visit.requests)
    assert visit.panel() == [f"{LIST} the whole list of codes; nothing of your photo; answered with 16 kilobytes"]
    assert "What was sent: nothing of this photo. The whole list of codes was taken, as by everybody." in result


def test_of_a_large_collection_pieces_of_the_code_are_asked_and_each_is_told(browser: Browser, large: str) -> None:
    for visit in open_page(browser, large, PHONE, "light"):
        visit.open("/")
        before = len(visit.requests)
        result = visit.check("chelsea.jpg")
        asked = visit.asked_since(before)
        assert asked[0] == LIST
        pieces = [line.rpartition("/")[2] for line in asked[1:]]
        assert 1 <= len(pieces) <= 4
        assert asked[1:] == [f"GET /v1/private/sketches/{piece}" for piece in pieces]
        assert requests_told(visit.panel()) == asked, "the panel is what went over the line"
        for piece, line in zip(pieces, visit.panel()[1:], strict=True):
            assert f"as long as 4 of its 64 characters: {piece};" in line
        assert f"What was sent of this photo: {', '.join(pieces)}." in result
        assert "Found: a picture very close to yours" in result
        assert not [r for r in visit.requests if r.method != "GET" or "?" in r.url]
        visit.complaints[:] = [c for c in visit.complaints if "404" not in c]  # the list was refused, as it should be


def test_every_step_is_told(visit: Visitor) -> None:
    visit.page.add_init_script(SAID)
    visit.open("/")
    visit.check("coffee.jpg")
    said = visit.page.evaluate("said")
    assert said[0] == "Choose a photo to begin."
    assert "Reading the photo…" in said
    assert "Making the photo code…" in said
    assert said[-1] == "Done. Not found in what we have looked at."
    assert len(said) >= 5


def test_a_closer_look_needs_the_tick_and_sends_the_photo_once(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/")
    before = len(visit.requests)
    assert "Edited copy (mirrored)" in visit.check(mirrored(tmp_path))
    visit.page.click(".closer [type=submit]")
    expect(visit.page.locator(".closer .status")).to_have_text("Please tick first that the photo may be sent.")
    assert visit.sent() == []
    answer = visit.look_closer()
    assert visit.asked_since(before) == [LIST, "POST /v1/lookups"]
    assert "POST /v1/lookups the photo itself, once, for the closer look;" in visit.panel()[1]
    assert "Found: 1 copy" in answer
    assert "Edited copy (mirrored)" in answer
    assert "The copy shows it mirrored." in answer
    assert visit.page.evaluate("document.activeElement.className").startswith("answer")
    assert visit.page.locator(".closer").is_hidden(), "the same photo would get the same answer"


def test_the_photo_in_the_answer_is_drawn_from_the_device_with_its_frame(visit: Visitor, tmp_path: Path) -> None:
    with Image.open(IMAGES / "rocket.jpg") as rocket:
        ImageOps.expand(rocket, 60, "white").save(tmp_path / "framed.png")
        width, height = rocket.width + 120, rocket.height + 120
    visit.open("/")
    visit.check(tmp_path / "framed.png")
    visit.look_closer()
    for place in (".result > .own", ".answer .own"):
        photo, frame = (visit.page.locator(f"{place} {part}").bounding_box() for part in ("img", ".frame"))
        assert photo
        assert frame
        assert (frame["x"] - photo["x"]) / photo["width"] == pytest.approx(60 / width, abs=0.02)
        assert (frame["y"] - photo["y"]) / photo["height"] == pytest.approx(60 / height, abs=0.02)
        assert frame["width"] / photo["width"] == pytest.approx(1 - 120 / width, abs=0.03)
    assert [r.url for r in visit.requests if r.url.startswith("blob:")]


# --- what is said -----------------------------------------------------------------------------------------------


def test_not_found_is_no_proof_and_says_what_was_looked_at_and_what_is_missed(visit: Visitor) -> None:
    visit.open("/")
    result = visit.check("coffee.jpg")
    assert "Not found in what we have looked at" in result
    assert "This is no proof that nobody has it." in result
    assert "We have looked at 2 pictures in 2 sources; the newest on 20 November 2026." in result
    assert "The private check does not see copies that were strongly cut, framed, captioned" in result
    assert "Send this photo for a closer look. It is dropped with the answer." in result
    assert visit.page.is_visible("[data-act=no]")


def test_several_photos_each_get_a_result(visit: Visitor, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "white").save(tmp_path / "wall.png")
    visit.open("/")
    result = visit.check("rocket.jpg", "coffee.jpg", tmp_path / "wall.png")
    assert visit.status() == "Done: 1 found, 0 possible, 1 not found, 1 not compared."
    assert [result.index(name) for name in ("rocket.jpg", "coffee.jpg", "wall.png")] == sorted(
        result.index(name) for name in ("rocket.jpg", "coffee.jpg", "wall.png")
    )
    assert len(visit.panel()) == 1, "one list is enough for all"


def test_ten_photos_at_once_are_enough(visit: Visitor, tmp_path: Path) -> None:
    for n in range(11):
        Image.new("RGB", (60, 40), (n, n, n)).save(tmp_path / f"{n:02}.png")
    visit.open("/")
    visit.choose(*sorted(tmp_path.glob("*.png")))
    expect(visit.page.locator("#status")).to_have_text("At most 10 photos at once. The first 10 were taken.")
    assert visit.page.locator(".result").count() == 10


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_photos_may_be_dropped_and_pasted(visit: Visitor, kind: str) -> None:
    visit.open("/")
    carried = visit.page.evaluate_handle(
        "bytes => { const d = new DataTransfer();"
        "d.items.add(new File([new Uint8Array(bytes)], 'cup.jpg', { type: 'image/jpeg' })); return d; }",
        list((IMAGES / "coffee.jpg").read_bytes()),
    )
    name = {"drop": "dataTransfer", "paste": "clipboardData"}[kind]
    made = "DragEvent" if kind == "drop" else "ClipboardEvent"
    visit.page.evaluate(
        f"d => document.body.dispatchEvent(new {made}('{kind}', {{ {name}: d, bubbles: true, cancelable: true }}))",
        carried,
    )
    expect(visit.page.locator(".result:not(.waiting) h3")).to_have_text("Not found in what we have looked at")
    assert "cup.jpg" in visit.page.inner_text(".result")


def test_text_of_strangers_runs_nothing_and_leads_nowhere(visit: Visitor) -> None:
    visit.open("/")
    answer = visit.look_up("chelsea.jpg")
    assert "<img src=x onerror=alert(1)>" in answer
    assert "\u202e" not in answer
    assert "\x1b" not in answer
    assert visit.page.locator(".answer img, .answer script").count() == 0
    links = [link.get_attribute("href") for link in visit.page.locator("main a[href]").all()]
    assert [link for link in links if link and not link.startswith("/")] == []


def test_results_are_saved_as_one_file_that_loads_nothing(visit: Visitor, tmp_path: Path) -> None:
    visit.open("/")
    visit.look_up("chelsea.jpg")
    with visit.page.expect_download() as download:
        visit.page.click("[data-act=save]")
    download.value.save_as(tmp_path / "kept.html")
    kept = (tmp_path / "kept.html").read_text()
    assert re.fullmatch(r"photo-check-\d{4}-\d\d-\d\d\.html", download.value.suggested_filename)
    assert not re.search(r"<(script|img|link|iframe|form|button)\b|url\(|@import", kept)
    assert "The photo is not in this file." in kept
    assert "&lt;img src=x onerror=alert(1)&gt;" in kept
    assert "https://img.example/p/88.jpg" in kept
    assert f'href="{visit.server}/sources#source-1"' in kept
    visit.page.goto((tmp_path / "kept.html").as_uri())
    assert "Found: 1 copy" in visit.page.inner_text("main")
    visit.requests[:] = [r for r in visit.requests if not r.url.startswith("file:")]
    visit.accessible()


def test_checking_other_photos_forgets_the_first(visit: Visitor) -> None:
    visit.open("/")
    visit.check("rocket.jpg")
    visit.page.click("[data-act=again] >> visible=true")
    assert visit.status() == "Choose a photo to begin."
    assert visit.page.evaluate("document.activeElement.id") == "photo"
    assert visit.page.locator(".result").count() == 0
    assert "rocket.jpg" not in visit.check("coffee.jpg")
