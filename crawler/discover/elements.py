"""One element of a page -> the addresses that it names.

    by its tag         one table: what the attributes of each name
    whatever its tag   style, background, and the data attributes of lazy pictures

Source: HTML Standard 4.6.7 (link types), 4.8.2 to 4.8.4 (source, img), 4.8.8 (video), 4.10.5.1.19 (input); SVG 2, 12.3
(image); schema.org in microdata; amp.dev (amp-img). There is no standard for data attributes: `_LAZY_NAME` and
`_PICTURE_NAME` are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from selectolax.lexbor import LexborNode

from crawler.discover.css import addresses_in_rule, rules_with_addresses
from crawler.discover.jsonld import pictures_in_jsonld
from crawler.discover.links import FIRST, LESSER, Candidate, FoundAs, clipped, ends_like_picture
from crawler.discover.srcset import parse_srcset

Attributes = Mapping[str, str | None]

_ICONS = frozenset(
    {"icon", "apple-touch-icon", "apple-touch-icon-precomposed", "apple-touch-startup-image", "mask-icon"}
)
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml"})
_NOT_DECODED = frozenset({"image/avif", "image/jxl", "image/heic", "image/heif", "image/svg+xml"})
"""Types of a `source` whose pictures are not coded; the other sources show the same picture."""

_LAZY_NAME = re.compile(r"data-(?:[a-z]+-)*(?:src|original)")
"""Attributes that hold the address of an img, whatever it ends like: data-src, data-lazy-src, data-original, ..."""
_PICTURE_NAME = re.compile(
    r"data-.*(?:src|img|image|original|orig|lazy|full|large|medium|zoom|res|retina|bg|background|poster|thumb|photo"
    r"|picture|preview|media|url|href|file)"
)
"""Attributes of any element that hold a picture's address if their value ends like one."""
_BACKGROUND_NAME = re.compile(r"data-.*(?:bg|background|thumb|poster|small|low|preview)")
_CSS_CHARACTERS_MAX = 2**18
"""Of the rules with addresses in one page; read at 1.5 MB/s."""
_FIGURE_DEPTH_MAX = 8
_NODES_WITH_WORDS_MAX = 50
"""Looked at inside of a figcaption or link."""


def of_element(node: LexborNode, page: Page) -> Iterator[Candidate]:
    """All that one element names, as it is written. Never raises."""
    attributes = node.attributes
    if (read := _BY_TAG.get(node.tag or "")) is not None:
        yield from read(node, attributes, page)
    if attributes:
        yield from _of_any(node, attributes, page)


class Page:
    """What is shared by the elements of one page: words that stand with several pictures, and how much may be read."""

    def __init__(self) -> None:
        self._css_left = _CSS_CHARACTERS_MAX
        self._of_figure: dict[int, str | None] = {}
        self._of_picture: dict[int, str | None] = {}

    def of_image(self, node: LexborNode, attributes: Attributes) -> str | None:
        """The alternative text, else the figcaption, else the title."""
        return clipped(attributes.get("alt")) or self._figcaption(node) or clipped(attributes.get("title"))

    def of_picture(self, picture: LexborNode) -> str | None:
        """Those of its `img`."""
        if picture.mem_id not in self._of_picture:
            image = next((child for child in picture.iter() if child.tag == "img"), None)
            self._of_picture[picture.mem_id] = self.of_image(image, image.attributes) if image else None
        return self._of_picture[picture.mem_id]

    def _figcaption(self, node: LexborNode) -> str | None:
        parent = node.parent
        for _ in range(_FIGURE_DEPTH_MAX):
            if parent is None or parent.tag == "figure":
                break
            parent = parent.parent
        if parent is None or parent.tag != "figure":
            return None
        if parent.mem_id not in self._of_figure:
            words = next((child for child in parent.iter() if child.tag == "figcaption"), None)
            self._of_figure[parent.mem_id] = _words_in(words) if words else None
        return self._of_figure[parent.mem_id]

    def of_css(self, text: str, found_as: FoundAs = FoundAs.CSS_URL) -> Iterator[Candidate]:
        """The pictures of a style sheet or style attribute."""
        for rule in rules_with_addresses(text):
            if self._css_left <= 0:
                return
            for href in addresses_in_rule(rule[: self._css_left]):
                yield Candidate(href, found_as, priority=LESSER)
            self._css_left -= len(rule)


def _words_in(node: LexborNode) -> str | None:
    """The alternative text of an img in it, else its text; elements may be nested as deep as the page is long."""
    first = list(islice(node.traverse(include_text=True), _NODES_WITH_WORDS_MAX))
    alts = [one.attributes.get("alt") for one in first if one.tag == "img"]
    return clipped(next(filter(None, alts), None)) or clipped(" ".join(one.text() for one in first if one.is_text_node))


# --- elements --------------------------------------------------------------------------------------------------

_Reader = Callable[[LexborNode, Attributes, Page], Iterator[Candidate]]


def _of_anchor(node: LexborNode, attributes: Attributes, page: Page) -> Iterator[Candidate]:
    href = attributes.get("href") or ""
    if not href or "nofollow" in _tokens(attributes.get("rel")):
        return
    if not ends_like_picture(href):
        yield Candidate(href, FoundAs.A_HREF, kind="page")
        return
    yield Candidate(href, FoundAs.A_HREF, caption=page.of_image(node, attributes) or _words_in(node))


def _of_frame(_node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    yield Candidate(attributes.get("src") or "", FoundAs.FRAME, kind="page")


def _of_img(node: LexborNode, attributes: Attributes, page: Page) -> Iterator[Candidate]:
    caption = page.of_image(node, attributes)
    if src := attributes.get("src"):
        yield Candidate(src, FoundAs.IMG_SRC, caption=caption)
    yield from _of_srcset(attributes.get("srcset"), FoundAs.IMG_SRCSET, caption)


def _of_source(node: LexborNode, attributes: Attributes, page: Page) -> Iterator[Candidate]:
    picture = node.parent
    if picture is not None and picture.tag == "picture":
        known = (attributes.get("type") or "").strip().lower() not in _NOT_DECODED
        caption = page.of_picture(picture)
        yield from _of_srcset(attributes.get("srcset"), FoundAs.SOURCE_SRCSET, caption, best=FIRST if known else LESSER)


def _of_srcset(text: str | None, found_as: FoundAs, caption: str | None, *, best: int = FIRST) -> Iterator[Candidate]:
    """The largest one is the picture, the others are sizes of it."""
    sizes = parse_srcset(text or "")
    largest = max((one.size for one in sizes), default=0.0)
    for one in sizes:
        yield Candidate(one.url, found_as, caption=caption, priority=best if one.size == largest else LESSER)


def _of_link(_node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    href, kinds = attributes.get("href") or "", _tokens(attributes.get("rel"))
    if "image_src" in kinds:
        yield Candidate(href, FoundAs.LINK_IMAGE_SRC)
    if kinds & _ICONS:
        yield Candidate(href, FoundAs.LINK_ICON, priority=LESSER)
    if "preload" in kinds and (attributes.get("as") or "").strip().lower() == "image":
        yield Candidate(href, FoundAs.LINK_PRELOAD, priority=LESSER)
        yield from _of_srcset(attributes.get("imagesrcset"), FoundAs.LINK_PRELOAD, None, best=LESSER)
    if "alternate" in kinds and _type(attributes) in _FEED_TYPES:
        yield Candidate(href, FoundAs.LINK_FEED, kind="page", priority=LESSER)
    if not {"image", "thumbnailurl"}.isdisjoint(_tokens(attributes.get("itemprop"))):
        yield Candidate(href, FoundAs.ITEMPROP)


def _of_script(node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    if _type(attributes) == "application/ld+json":
        for one in pictures_in_jsonld(node.text()):
            priority = LESSER if one.small else FIRST
            yield Candidate(one.href, FoundAs.JSON_LD, caption=clipped(one.caption), priority=priority)


def _of_style(node: LexborNode, _attributes: Attributes, page: Page) -> Iterator[Candidate]:
    yield from page.of_css(node.text())


def _of_video(_node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    yield Candidate(attributes.get("poster") or "", FoundAs.VIDEO_POSTER, caption=clipped(attributes.get("title")))


def _of_input(_node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    if _type(attributes) == "image":
        words = clipped(attributes.get("alt")) or clipped(attributes.get("title"))
        yield Candidate(attributes.get("src") or "", FoundAs.INPUT_IMAGE, caption=words)


def _of_svg_image(_node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    """SVG 2, 16.1.6: href counts before xlink:href."""
    href = attributes.get("href") or attributes.get("xlink:href") or ""
    yield Candidate(href, FoundAs.SVG_IMAGE, caption=clipped(attributes.get("aria-label")))


def _of_object(_node: LexborNode, attributes: Attributes, _page: Page) -> Iterator[Candidate]:
    href = attributes.get("data") or attributes.get("src") or ""
    if _type(attributes).startswith("image/") or ends_like_picture(href):
        yield Candidate(href, FoundAs.OBJECT, caption=clipped(attributes.get("title")))


_BY_TAG: Mapping[str, _Reader] = {
    "a": _of_anchor,
    "amp-img": _of_img,
    "area": _of_anchor,
    "frame": _of_frame,
    "iframe": _of_frame,
    "img": _of_img,
    "source": _of_source,
    "link": _of_link,
    "script": _of_script,
    "style": _of_style,
    "video": _of_video,
    "input": _of_input,
    "image": _of_svg_image,
    "object": _of_object,
    "embed": _of_object,
}


# --- attributes of any element ---------------------------------------------------------------------------------


def _of_any(node: LexborNode, attributes: Attributes, page: Page) -> Iterator[Candidate]:
    for name, value in attributes.items():
        if not value:
            continue
        if name == "style":
            yield from page.of_css(value)
        elif name == "background":
            yield Candidate(value, FoundAs.BACKGROUND, priority=LESSER)
        elif name.startswith("data-"):
            yield from _of_data(node, name, value, page)


def _of_data(node: LexborNode, name: str, value: str, page: Page) -> Iterator[Candidate]:
    """What scripts put into `src` when the picture comes into view; there is no standard for it."""
    if name.endswith(("srcset", "src-set")):
        yield from _of_srcset(value, FoundAs.DATA_SRC, page.of_image(node, node.attributes))
    elif "url(" in value.lower():
        yield from page.of_css(value, FoundAs.DATA_SRC)
    else:
        lazy = node.tag == "img" and _LAZY_NAME.fullmatch(name) and ("/" in value or "." in value)
        if lazy or (ends_like_picture(value) and (node.tag == "img" or _PICTURE_NAME.match(name))):
            priority = LESSER if _BACKGROUND_NAME.match(name) else FIRST
            caption = page.of_image(node, node.attributes)
            yield Candidate(value.strip(), FoundAs.DATA_SRC, caption=caption, priority=priority)


def _tokens(text: str | None) -> set[str]:
    return set((text or "").lower().split())


def _type(attributes: Attributes) -> str:
    return (attributes.get("type") or "").partition(";")[0].strip().lower()
