"""What the check in the browser asks and shows, what it tells of it, and when it asks nothing at all."""

from __future__ import annotations

import json

import pytest
from hibs_command import CHECKOUT
from playwright.sync_api import Route
from private_page import HELD, IMAGES, ODD, CheckPage, Opener

pytest_plugins = ("private_page",)
pytestmark = pytest.mark.browser

LIST, SKETCHES = "/v1/private/list", "/v1/private/sketches/"
NOISE = """
for (const kind of ["CanvasRenderingContext2D", "OffscreenCanvasRenderingContext2D"]) {
  const prototype = globalThis[kind]?.prototype;
  const read = prototype?.getImageData;
  if (read) prototype.getImageData = function (...area) {
    const image = read.apply(this, area);
    for (let i = 0; i < image.data.length; i += 97) image.data[i] ^= CHANGE;
    return image;
  };
}
"""
"""What browsers do against fingerprinting: the lowest bit of some levels, the same ones at each reading."""


@pytest.fixture
def check(open_check: Opener, photo_service: str) -> CheckPage:
    return open_check(photo_service)


def told_as_sent(check: CheckPage) -> bool:
    """Is the check's own list of requests the browser's record?"""
    return [(request["method"], request["path"]) for request in check.told()] == check.sent()


# --- what is asked ----------------------------------------------------------------------------------------------


def test_one_list_serves_all_photos_and_shows_nothing_of_them(check: CheckPage) -> None:
    for name in ("coffee.jpg", "astronaut.jpg", "coffee.jpg"):
        assert check.photo(IMAGES / name)["sketches"] == []
    (told,) = check.told()
    assert told == {"method": "GET", "path": LIST, "status": 200, "bytes": told["bytes"], "sketch": None}
    assert told["bytes"] % 16_384 == 0
    assert check.sent() == [("GET", LIST)]
    assert told_as_sent(check)


def test_a_large_collection_is_shown_four_rising_sketches_once(open_check: Opener, sketch_service: str) -> None:
    check = open_check(sketch_service)
    result = check.photo(IMAGES / "coffee.jpg")
    assert [match["kind"] for match in result["matches"]] == ["same"]
    assert len(result["sketches"]) == 4
    assert result["sketches"] == sorted(result["sketches"])
    asked = [(told["path"], told["status"], told["sketch"]) for told in check.told()]
    assert asked == [(LIST, 404, None), *((SKETCHES + sketch, 200, sketch) for sketch in result["sketches"])]
    assert told_as_sent(check)
    before = len(check.told())
    assert check.photo(IMAGES / "coffee.jpg") == result
    assert len(check.told()) == before


def test_answers_to_sketches_stay_out_of_the_disk_cache(
    open_check: Opener, photo_service: str, sketch_service: str
) -> None:
    """Which sketches were asked says what was asked about."""
    kept = """(path) => fetch(path, { cache: "only-if-cached", mode: "same-origin" }).then(
        (answer) => answer.status, () => "not kept")"""
    check = open_check(sketch_service)
    sketch = check.photo(IMAGES / "coffee.jpg")["sketches"][0]
    assert check.page.evaluate(kept, SKETCHES + sketch) == "not kept"
    check = open_check(photo_service)
    check.photo(IMAGES / "coffee.jpg")
    assert check.page.evaluate(kept, LIST) == 200, "the list is everybody's, and good for the day"


def test_the_steps_come_in_their_order(check: CheckPage) -> None:
    check.photo(IMAGES / "coffee.jpg")
    assert check.page.evaluate("steps") == ["decoding", "coding", "asking", "comparing", "done"]


def test_photos_wait_for_each_other_and_all_are_answered(check: CheckPage) -> None:
    results = check.photos(*(IMAGES / name for name in HELD), ODD / "text.jpg", ODD / "white.png")
    assert [result["status"] for result in results] == ["checked"] * len(HELD) + ["unreadable", "too-plain"]
    assert [len(result["matches"]) for result in results] == [1] * len(HELD) + [0, 0]
    assert check.sent() == [("GET", LIST)]


# --- no answer --------------------------------------------------------------------------------------------------


def test_without_a_network_a_photo_is_coded_and_asked_for_later(check: CheckPage) -> None:
    check.photo(ODD / "text.jpg")  # by then its scripts are there
    check.page.context.set_offline(True)
    result = check.photo(IMAGES / "coffee.jpg")
    assert (result["status"], result["reason"]) == ("offline", "network")
    assert len(result["code"]["hex"]) == 64
    assert [(told["path"], told["status"], told["bytes"]) for told in check.told()] == [(LIST, 0, 0)]
    check.page.context.set_offline(False)
    assert check.photo(IMAGES / "coffee.jpg")["status"] == "checked"
    assert told_as_sent(check)


def _problem(kind: str) -> str:
    return json.dumps({"type": f"/problems/{kind}", "status": 503})


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (429, {"Retry-After": "40"}, "<h1>proxy</h1>", ("busy", "rate-limited", 40)),
        (503, {"Retry-After": "5", "Content-Type": PROBLEM}, _problem("index-loading"), ("busy", "index-loading", 5)),
        (503, {"Content-Type": PROBLEM}, _problem("corpus-empty"), ("corpus-empty", "corpus-empty", None)),
        (503, {"Retry-After": "later"}, "", ("busy", "busy", None)),
        (502, {}, "<h1>proxy</h1>", ("failed", "unexpected-answer", None)),
        (404, {"Content-Type": PROBLEM}, _problem("ask-otherwise"), ("failed", "ask-otherwise", None)),
        (404, {"Content-Type": PROBLEM}, "[" * 100_000, ("failed", "unexpected-answer", None)),
        (200, {}, "<html>hello</html>\n", ("failed", "unexpected-answer", None)),
        (200, {}, "null\n", ("failed", "unexpected-answer", None)),
        (200, {}, "", ("failed", "unexpected-answer", None)),
    ],
)
def test_an_answer_that_is_none_is_told_and_the_next_photo_asks_again(
    check: CheckPage, status: int, headers: dict[str, str], body: str, expected: tuple[str, str, int | None]
) -> None:
    check.page.route("**/v1/private/**", lambda route: route.fulfill(status=status, headers=headers, body=body))
    result = check.photo(IMAGES / "coffee.jpg")
    assert (result["status"], result["reason"], result["retryAfterS"]) == expected
    assert result["matches"] == []
    check.page.unroute("**/v1/private/**")
    assert check.photo(IMAGES / "coffee.jpg")["status"] == "checked"


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 10**6},
        {"rows": -1},
        {"mask": "ffff"},
        {"version": 2},
        {"spread_bits": 3},
        {"next_at": "soon"},
        {"coverage": None},
    ],
    ids=str,
)
def test_a_list_of_another_kind_is_not_compared(
    open_check: Opener, photo_service: str, change: dict[str, object]
) -> None:
    check = open_check(photo_service)

    def altered(route: Route) -> None:
        head, _, rows = route.fetch().body().partition(b"\n")
        route.fulfill(body=json.dumps(json.loads(head) | change).encode() + b"\n" + rows)

    check.page.route(f"**{LIST}", altered)
    result = check.photo(IMAGES / "coffee.jpg")
    assert (result["status"], result["reason"]) == ("failed", "unexpected-answer")


def test_a_closed_check_answers_and_asks_nothing(check: CheckPage) -> None:
    check.page.evaluate("check.close()")
    result = check.photo(IMAGES / "coffee.jpg")
    assert (result["status"], result["reason"]) == ("failed", "closed")
    assert check.sent() == []


def test_closing_breaks_off_the_photo_under_way(check: CheckPage) -> None:
    check.page.set_input_files("#private-check", [str(IMAGES / "coffee.jpg")])
    result = check.page.evaluate("""() => {
        const under_way = check.photo(document.getElementById("private-check").files[0]);
        check.onStep = (name) => name === "coding" && check.close();
        return under_way;
    }""")
    assert (result["status"], result["reason"]) == ("failed", "closed")
    assert check.sent() == []


# --- browsers that alter pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["page", "worker"])
@pytest.mark.parametrize("change", ["1", "(Math.random() < 0.5 ? 1 : 0)"], ids=["steady", "random"])
def test_a_browser_that_alters_pixels_gives_no_answer_and_asks_nothing(
    open_check: Opener, photo_service: str, place: str, change: str
) -> None:
    check = open_check(photo_service)
    noise = NOISE.replace("CHANGE", change)
    if place == "page":
        check.page.context.add_init_script(noise)
    else:
        worker = (CHECKOUT / "api" / "static" / "private" / "worker.js").read_text()
        body = f"{noise}\n{worker}"
        check.page.route(
            "**/private/worker.js",
            lambda route: route.fulfill(body=body, content_type="text/javascript; charset=utf-8"),
        )
    check.begin()
    result = check.photo(IMAGES / "coffee.jpg")
    assert (result["status"], result["reason"]) == ("altered", "canvas")
    assert (result["code"], result["matches"], result["coverage"]) == (None, [], None)
    assert check.sent() == check.told() == []


def test_noise_that_spares_the_known_picture_is_seen_on_the_photo(open_check: Opener, photo_service: str) -> None:
    check = open_check(photo_service)
    worker = (CHECKOUT / "api" / "static" / "private" / "worker.js").read_text()
    noise = NOISE.replace("CHANGE", "(image.width > 64 ? Math.random() * 2 : 0)")
    check.page.route(
        "**/private/worker.js",
        lambda route: route.fulfill(body=noise + worker, content_type="text/javascript; charset=utf-8"),
    )
    check.begin()
    assert check.photo(IMAGES / "coffee.jpg")["status"] == "altered"
    assert check.sent() == []


def test_a_browser_without_the_parts_says_so(open_check: Opener, photo_service: str) -> None:
    check = open_check(photo_service)
    check.page.context.add_init_script("delete globalThis.OffscreenCanvas; delete globalThis.Worker;")
    check.begin()
    result = check.photo(IMAGES / "coffee.jpg")
    assert (result["status"], result["reason"]) == ("failed", "browser")
    assert check.sent() == []


# --- the files ----------------------------------------------------------------------------------------------------


def test_the_scripts_are_small_and_ask_in_one_place() -> None:
    folder = CHECKOUT / "api" / "static" / "private"
    scripts = {path.name: path.read_text() for path in folder.iterdir()}
    assert sum(len(text.encode()) for text in scripts.values()) < 68_000
    for name, text in scripts.items():
        assert "eval(" not in text
        assert "http" not in text, f"{name} names another address"
        if name != "traffic.js":
            assert "fetch(" not in text, f"{name} asks by itself"
