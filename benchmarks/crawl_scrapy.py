"""The peer's side of `crawl.py`: a Scrapy spider with ImagesPipeline, and imagehash on every picture. Not run by hand.

`build/peers/bin/python benchmarks/crawl_scrapy.py OPTIONS.json`, in the environment that `crawl_peers.py` makes. It
reads the same start pages, follows their links, and leaves the pictures, and one JSON line for each with address, page
and the code that imagehash makes of it (`phash`, 256 bits), in its output folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagehash
import scrapy
from PIL import Image
from scrapy.crawler import CrawlerProcess
from twisted.internet.threads import deferToThread


class Gallery(scrapy.Spider):
    """Pages and the pictures on them, an item a picture."""

    name = "gallery"

    def parse(self, response: Any, **_: Any) -> Iterator[Any]:
        """One page."""
        for href in response.css("a::attr(href)").getall():
            yield response.follow(href)
        for source in response.css("img::attr(src)").getall():
            yield {"image_urls": [response.urljoin(source)], "page": response.url}


class Hashes:
    """The item pipeline behind ImagesPipeline."""

    def __init__(self, folder: Path, *, threads: bool) -> None:
        self._folder = folder
        self._threads = threads

    @classmethod
    def from_crawler(cls, crawler: Any) -> Hashes:
        """See Scrapy."""
        return cls(Path(crawler.settings["IMAGES_STORE"]), threads=crawler.settings.getbool("HASH_IN_THREADS"))

    def process_item(self, item: dict[str, Any]) -> Any:
        """Hash the stored picture."""
        if self._threads:
            return deferToThread(self._hashed, item)
        return self._hashed(item)

    def _hashed(self, item: dict[str, Any]) -> dict[str, Any]:
        for stored in item["images"]:
            with Image.open(self._folder / stored["path"]) as image:
                stored["phash"] = str(imagehash.phash(image, hash_size=16))
        return item


def main() -> None:
    """Crawl."""
    options = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(options["output"])
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": options["requests"],
            "CONCURRENT_REQUESTS_PER_DOMAIN": options["requests_per_host"],
            "COOKIES_ENABLED": False,
            "DOWNLOAD_DELAY": 0,
            "FEEDS": {str(folder / "pictures.jsonl"): {"format": "jsonlines"}},
            "HASH_IN_THREADS": options["hash_in_threads"],
            "IMAGES_STORE": str(folder / "pictures"),
            "ITEM_PIPELINES": {"scrapy.pipelines.images.ImagesPipeline": 1, Hashes: 2},
            "LOG_LEVEL": "ERROR",
            "RETRY_ENABLED": False,
            "ROBOTSTXT_OBEY": options["robots"],
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Gallery, start_urls=options["start"])
    process.start()


if __name__ == "__main__":
    main()
