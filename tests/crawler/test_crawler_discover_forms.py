"""Every form in which a page names a picture or page, and the words that go with it. Markup as the standards' examples
and real pages have it."""

from __future__ import annotations

import pytest
from discovered import links, named, only

from checker.visits import FoundLink


@pytest.mark.parametrize(
    ("html", "found_as"),
    [
        ('<img src="a.jpg">', "img src"),
        ('<amp-img src="a.jpg"></amp-img>', "img src"),
        ('<img srcset="a.jpg 2x">', "img srcset"),
        ('<amp-img src="a.jpg" width="2" height="1"></amp-img>', "img src"),
        ('<picture><source srcset="a.jpg"><img></picture>', "source srcset"),
        ('<link rel="image_src" href="a.jpg">', "link image_src"),
        ('<meta property="og:image" content="a.jpg">', "meta og:image"),
        ('<meta property="og:image:url" content="a.jpg">', "meta og:image"),
        ('<meta property="og:image:secure_url" content="a.jpg">', "meta og:image"),
        ('<meta name="twitter:image" content="a.jpg">', "meta twitter:image"),
        ('<meta name="twitter:image:src" content="a.jpg">', "meta twitter:image"),
        ('<meta itemprop="image" content="a.jpg">', "itemprop image"),
        ('<link itemprop="image" href="a.jpg">', "itemprop image"),
        ('<video poster="a.jpg"></video>', "video poster"),
        ('<input type="Image" src="a.jpg">', "input image"),
        ('<svg><image href="a.jpg"/></svg>', "svg image"),
        ('<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="a.jpg"/></svg>', "svg image"),
        ('<object data="a.jpg"></object>', "object data"),
        ('<embed type="image/jpeg" src="a.jpg">', "object data"),
        ('<a href="a.jpg"></a>', "a href"),
        ('<map><area href="a.jpg"></map>', "a href"),
        ('<noscript><img src="a.jpg"></noscript>', "img src"),
        ('<head><noscript><img src="a.jpg"></noscript></head>', "img src"),
        ('<script type="application/ld+json">{"image": "a.jpg"}</script>', "json-ld"),
        ('<image src="a.jpg">', "img src"),  # HTML 13.2.6.4.7: "Don't ask"
    ],
)
def test_a_picture_of_the_content_is_found(html: str, found_as: str) -> None:
    assert only(links(html)) == FoundLink("https://a.example/dir/a.jpg", "image", found_as)


@pytest.mark.parametrize(
    ("html", "found_as"),
    [
        ('<link rel="icon" href="a.jpg">', "link icon"),
        ('<link rel="SHORTCUT ICON" href="a.jpg">', "link icon"),
        ('<link rel="apple-touch-icon-precomposed" href="a.jpg">', "link icon"),
        ('<link rel="preload" as="image" href="a.jpg">', "link preload"),
        ('<link rel="preload" as="image" imagesrcset="a.jpg 400w">', "link preload"),
        ('<meta name="msapplication-TileImage" content="a.jpg">', "meta tile image"),
        ('<table><tr><td background="a.jpg"></table>', "background"),
        ('<body background="a.jpg">', "background"),
        ('<div style="background-image: url(a.jpg)"></div>', "css url"),
        ("<style>.hero { background: url('a.jpg') }</style>", "css url"),
        ('<picture><source type="image/avif" srcset="a.jpg"></picture>', "source srcset"),
        ('<script type="application/ld+json">{"publisher": {"logo": "a.jpg"}}</script>', "json-ld"),
    ],
)
def test_an_icon_a_background_and_the_like_come_second(html: str, found_as: str) -> None:
    assert only(links(html)) == FoundLink("https://a.example/dir/a.jpg", "image", found_as, priority=1)


@pytest.mark.parametrize(
    "html",
    [
        '<img data-src="a.jpg">',
        '<img src="data:image/gif;base64,R0" data-original="a.jpg">',
        '<img data-lazy-src="a.jpg">',
        '<img data-orig-file="a.jpg">',
        '<img data-hi-res-src="a.jpg">',
        '<img data-srcset="a.jpg 2x">',
        '<picture><source data-srcset="a.jpg"></picture>',
        '<div data-src="a.jpg"></div>',
        '<li data-full-image="a.jpg"></li>',
        '<a data-image="a.jpg"></a>',
    ],
)
def test_a_picture_that_a_script_would_load_is_found(html: str) -> None:
    assert only(links(html)) == FoundLink("https://a.example/dir/a.jpg", "image", "data-src")


@pytest.mark.parametrize("html", ['<div data-bg="url(a.jpg)"></div>', '<div data-background-image="a.jpg"></div>'])
def test_a_background_that_a_script_would_load_is_found(html: str) -> None:
    assert only(links(html)) == FoundLink("https://a.example/dir/a.jpg", "image", "data-src", priority=1)


@pytest.mark.parametrize("name", ["image(1).jpg", "Sea (at night).jpg", "src(2).png"])
def test_brackets_in_the_name_of_a_waiting_picture_make_it_no_style(name: str) -> None:
    assert only(links(f'<img data-src="{name}">')).url == "https://a.example/dir/" + name.replace(" ", "%20")


def test_an_img_that_waits_is_found_without_an_ending() -> None:
    assert only(links('<img data-src="/resize/400/1234">')).url == "https://a.example/resize/400/1234"


@pytest.mark.parametrize(
    "html",
    [
        '<img data-src="">',
        '<img data-id="12" data-original="true">',
        '<iframe data-src="/video/12"></iframe>',
        '<div data-src="/page" data-url="/b.html" data-options=\'{"image": "a.jpg"}\'></div>',
        '<div data-image="&lt;img src=a.jpg"></div>',
    ],
)
def test_other_data_of_an_element_is_no_picture(html: str) -> None:
    assert links(html) == []


@pytest.mark.parametrize(
    ("html", "found_as", "priority"),
    [
        ('<a href="/other">x</a>', "a href", 0),
        ('<iframe src="/other"></iframe>', "frame src", 0),
        ('<frameset><frame src="/other"></frameset>', "frame src", 0),
        ('<link rel="alternate" type="application/rss+xml" href="/other">', "link feed", 1),
        ('<link rel="alternate" type="application/atom+xml; charset=utf-8" href="/other">', "link feed", 1),
    ],
)
def test_a_page_is_found(html: str, found_as: str, priority: int) -> None:
    assert only(links(html)) == FoundLink("https://a.example/other", "page", found_as, priority=priority)


def test_of_a_srcset_the_largest_is_the_picture() -> None:
    found = links(
        '<img src="s.jpg" srcset="s.jpg 320w, l.jpg 1280w, m.jpg 640w" alt="Sea">'
        '<picture><source srcset="x.webp 2x, y.webp"><img src="z.jpg" alt="Sky"></picture>'
    )
    assert [(link.url.rpartition("/")[2], link.priority, link.caption) for link in found] == [
        ("s.jpg", 0, "Sea"),
        ("l.jpg", 0, "Sea"),
        ("m.jpg", 1, "Sea"),
        ("x.webp", 0, "Sky"),
        ("y.webp", 1, "Sky"),
        ("z.jpg", 0, "Sky"),
    ]


@pytest.mark.parametrize(
    ("html", "caption"),
    [
        ('<img src="a.jpg" alt="Alt" title="Title">', "Alt"),
        ('<img src="a.jpg" alt=" " title="Title">', "Title"),
        (
            '<figure><p><img src="a.jpg"></p><figcaption>The <b>sea</b>\n at night</figcaption></figure>',
            "The sea at night",
        ),
        ('<figure><img src="a.jpg" alt="Alt"><figcaption>Words</figcaption></figure>', "Alt"),
        ('<figure></figure><img src="a.jpg"><figcaption>Words</figcaption>', None),
        ('<a href="a.jpg">A large one</a>', "A large one"),
        ('<a href="a.jpg"><img alt="Small"> text</a>', "Small"),
        ('<a href="a.jpg" title="Title">x</a>', "Title"),
        ('<area href="a.jpg" alt="Alt">', "Alt"),
        ('<input type="image" src="a.jpg" alt="Go">', "Go"),
        ('<video poster="a.jpg" title="Film"></video>', "Film"),
        ('<meta property="og:image" content="a.jpg"><meta property="og:image:alt" content="Alt">', "Alt"),
        ('<img data-src="a.jpg" alt="Alt">', "Alt"),
        ('<script type="application/ld+json">{"image": {"url": "a.jpg", "caption": "Sea"}}</script>', "Sea"),
        ('<img src="a.jpg" alt="' + "é" * 900 + '">', "é" * 500),
    ],
)
def test_the_words_that_stand_with_a_picture_are_its_caption(html: str, caption: str | None) -> None:
    assert only(links(html)).caption == caption


def test_the_alt_of_one_open_graph_image_is_not_that_of_another() -> None:
    found = links(
        '<meta property="og:image" content="1.jpg"><meta property="og:image:width" content="4">'
        '<meta property="og:image" content="2.jpg"><meta property="og:image:alt" content="Two">'
        '<meta property="og:image" content="3.jpg"><meta name="twitter:image" content="4.jpg">'
        '<meta name="twitter:image:alt" content="Four">'
    )
    assert [(link.url[-5:], link.caption) for link in found] == [
        ("1.jpg", None),
        ("2.jpg", "Two"),
        ("3.jpg", None),
        ("4.jpg", "Four"),
    ]


def test_a_tag_may_name_a_picture_for_two() -> None:
    found = links('<meta name="twitter:image" property="og:image" itemprop="image" content="a.jpg">')
    assert named(found) == [("a.jpg", "meta og:image")]


def test_formatting_around_a_picture_makes_no_difference() -> None:
    html = '<b><i><font color=red>x<p><a href="/o"><EM style="background:url(e.png)"><img src=a.jpg></b></i><u>'
    assert named(links(html)) == [("o", "a href"), ("e.png", "css url"), ("a.jpg", "img src")]
