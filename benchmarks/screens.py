"""Pictures of the pages in each of their states, to be looked at: on a phone and a desk, light and dark.

    make screens
    python benchmarks/screens.py OUT [--size phone desk] [--scheme light dark] [--language de]

A small collection of the project's own photos is made, a service started over it, and headless Chromium walks through:
choose, checking, found, possible, not found, closer look, the four screens of a no, recorded, the page for intimate
pictures, and each failure. Files are SIZE-SCHEME-NUMBER-STATE.png.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps
from playwright.sync_api import Browser, Page, Route, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "fixtures" / "images"
STORED = ("rocket.jpg", "chelsea.jpg", "china.jpg", "flower.jpg")
SIZES = {"phone": (360, 640), "desk": (1280, 800)}
LIST = "**/v1/private/list"
NOISE = """
  const read = CanvasRenderingContext2D.prototype.getImageData;
  CanvasRenderingContext2D.prototype.getImageData = function (...place) {
    const pixels = read.apply(this, place);
    for (let i = 0; i < pixels.data.length; i += 97) pixels.data[i] ^= 1;
    return pixels;
  };
"""


class Walk:
    """One browser page at one size, and where its pictures go."""

    def __init__(self, page: Page, start: str, photos: Path, out: Path) -> None:
        self.page, self.start, self.photos, self._out = page, start, photos, out
        self._count = 0

    def open(self, path: str = "/") -> None:
        self.page.goto(self.start + path)

    def choose(self, *names: str) -> None:
        self.page.set_input_files("#photo", [self.photos / name for name in names])

    def check(self, *names: str) -> None:
        self.choose(*names)
        self.page.locator(".result:not(.waiting)").nth(len(names) - 1).wait_for()

    def shot(self, state: str) -> None:
        self._count += 1
        self.page.screenshot(path=f"{self._out}-{self._count:02}-{state}.png", full_page=True)


# --- states -----------------------------------------------------------------------------------------------------


def results(walk: Walk) -> None:
    """Choosing, the private check, the closer look."""
    walk.open()
    walk.shot("choose")
    walk.page.route(LIST, lambda _: None)  # never answered: what is seen in between
    walk.choose("coffee.jpg")
    walk.page.wait_for_selector(".result.waiting")
    walk.shot("checking")
    walk.page.unroute(LIST)
    for name, state in (("coffee.jpg", "not-found"), ("framed.png", "found"), ("near.png", "possible")):
        walk.open()
        walk.check(name)
        walk.shot(state)
    walk.open()
    walk.check("mirrored.png")
    walk.page.click("#panel summary")
    walk.page.check("[name=agreed]")
    walk.page.click(".closer [type=submit]")
    walk.page.wait_for_selector(".answer")
    walk.shot("closer-look")


def saying_no(walk: Walk) -> None:
    """The four screens and what one takes home."""
    walk.open("/opt-out")
    walk.shot("opt-out")
    walk.choose("coffee.jpg", "mirrored.png", "wall.png")
    walk.page.wait_for_selector("#no:not([hidden])")
    walk.page.check("#mine")
    for step in range(1, 5):
        walk.shot(f"no-{step}")
        walk.page.click("[data-go=next] >> visible=true" if step < 4 else "[data-go=record]")
    walk.page.wait_for_selector("#done:not([hidden])")
    walk.shot("recorded")


def intimate(walk: Walk) -> None:
    """The page that sends and shows nothing."""
    walk.open("/intimate")
    walk.shot("intimate")
    walk.check("mirrored.png")
    walk.shot("intimate-found")


def failures(walk: Walk) -> None:
    """Why there is no answer, each on its own."""
    for name in ("photo.heic", "cut.jpg", "wall.png", "big.jpg"):
        walk.open()
        walk.check(name)
        walk.shot(f"failed-{Path(name).stem}")
    for state, status, kind in (
        ("busy", 503, "index-loading"),
        ("too-many", 429, "rate-limited"),
        ("empty", 503, "corpus-empty"),
    ):
        walk.page.route(LIST, _refusing(status, kind))
        walk.open()
        walk.check("coffee.jpg")
        walk.shot(f"failed-{state}")
        walk.page.unroute(LIST)
    walk.open()
    walk.page.context.set_offline(True)
    walk.check("coffee.jpg")
    walk.shot("failed-offline")
    walk.page.context.set_offline(False)
    walk.page.add_init_script(NOISE)
    walk.open()
    walk.check("coffee.jpg")
    walk.shot("failed-altered")


def _refusing(status: int, kind: str) -> Callable[[Route], None]:
    headers = {"Content-Type": "application/problem+json", "Retry-After": "200"}
    return lambda route: route.fulfill(status=status, body=json.dumps({"type": f"/problems/{kind}"}), headers=headers)


# --- the service ------------------------------------------------------------------------------------------------


def make_photos(folder: Path) -> None:
    """Those to choose: as they are, edited, and such as give no answer."""
    for name in ("coffee.jpg", "rocket.jpg"):
        shutil.copy(IMAGES / name, folder)
    with Image.open(IMAGES / "rocket.jpg") as rocket:
        ImageOps.mirror(rocket).save(folder / "mirrored.png")
        ImageOps.expand(rocket, 60, "white").save(folder / "framed.png")
    with Image.open(IMAGES / "china.jpg") as china:
        near = china.convert("RGB")
    ImageDraw.Draw(near).rectangle((0, 0, near.width * 36 // 100, near.height * 30 // 100), fill=(240, 240, 240))
    near.save(folder / "near.png")
    Image.new("RGB", (300, 200), "white").save(folder / "wall.png")
    (folder / "cut.jpg").write_bytes((IMAGES / "chelsea.jpg").read_bytes()[:9000])
    (folder / "big.jpg").write_bytes(bytes(20 * 2**20 + 1))
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Over a small collection; gives its address."""
    stored = [str(IMAGES / name) for name in STORED]
    command = [sys.executable, "-P", "-m", "checker"]
    subprocess.run([*command, "ingest", *stored, "--data", folder, "--source", "Example-400M"], check=True)
    keys = ["keys", "create", "--name", "Example e.V.", "--scopes", "feed", "--data", folder]
    subprocess.run([*command, *keys], check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([*command, "serve", "--data", folder, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = re.search(r"open (http://\S+)", process.stdout.readline())
        assert told, "the service did not start"
        yield told[1]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def walk_through(browser: Browser, start: str, photos: Path, out: Path, size: tuple[int, int], scheme: str) -> None:
    """All states at one size."""
    for part in (results, saying_no, intimate, failures):
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        part(Walk(page, start, photos, out.with_name(f"{out.name}-{part.__name__.replace('_', '-')}")))
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--scheme", nargs="+", choices=("light", "dark"), default=["light", "dark"])
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        parser.error("Chromium is missing: sudo apt-get install chromium")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        photos = Path(temporary, "photos")
        photos.mkdir()
        make_photos(photos)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with service(Path(temporary, "data")) as address:
            start = address if options.language == "en" else f"{address}/{options.language}"
            for size in options.size:
                for scheme in options.scheme:
                    walk_through(browser, start, photos, options.out / f"{size}-{scheme}", SIZES[size], scheme)
        browser.close()
    print(f"{len(list(options.out.glob('*.png')))} pictures in {options.out}")


if __name__ == "__main__":
    main()
