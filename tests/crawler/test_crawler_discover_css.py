"""Styles. Examples from CSS Syntax 3 (4.3), CSS Values 4 (4.5), CSS Images 4 (2.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.css import addresses_in_rule, rules_with_addresses


def addresses(text: str) -> list[str]:
    return [href for rule in rules_with_addresses(text) for href in addresses_in_rule(rule)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("background: url(http://www.example.com/pinkish.gif)", ["http://www.example.com/pinkish.gif"]),
        ('background: url("http://www.example.com/pinkish.gif")', ["http://www.example.com/pinkish.gif"]),
        ("background: URL( 'a b.png' )", ["a b.png"]),
        ("background:url( a.png )no-repeat,url(b.png)", ["a.png", "b.png"]),
        (r"background: url(a\(1\).png)", ["a(1).png"]),
        (r"background: url(\61.png)", ["a.png"]),
        ("background: src('a.png')", ["a.png"]),
        ('background: image-set("cat.png" 1x, "cat-2x.png" 2x, url(p.png) 600dpi)', ["cat.png", "cat-2x.png", "p.png"]),
        ('background: -webkit-image-set(url("a.avif") 1x type("image/avif"))', ["a.avif"]),
        ("background: linear-gradient(red, blue), url(a.png)", ["a.png"]),
        ("a{b:c} d{e:url(1.png)} f{g:h} @media (x){i{j:url(2.png)}} k{l:url(3.png)", ["1.png", "2.png", "3.png"]),
        ("@import url(x.png); @import 'y.png'; body{background:url(a.png)}", ["a.png"]),
        ("@namespace url(x.png); a{b:url(a.png)}", ["a.png"]),
        ("@font-face{font-family:x;src:local(y),url(f),url(g.png)}p{background:url(a.png)}", ["a.png"]),
        ("a{background:url(font.woff2?v=1)}b{behavior:url(pie.htc)}c{fill:url(#gradient)}", []),
        ("/* a{b:url(x.png)} */ c{d:url(a.png)}", ["a.png"]),
        ("a{/* b:url(x.png); */ c:url(a.png)}", ["a.png"]),
        ("a{content:'url(x.png)'}", []),
        ("a{b:url(x y.png)}", []),  # a bad url, 4.3.6
        ("a{b:url(", [""]),
        ("}}}))]url(z.png)", ["z.png"]),
        ("a{b:c(((((url(z.png)", ["z.png"]),
    ],
)  # fmt: skip
def test_pictures_are_found_as_the_standard_reads_styles(text: str, expected: list[str]) -> None:
    assert addresses(text) == expected


@pytest.mark.parametrize("bracket", ["(", "[", "{", "a(", "url('"])
def test_brackets_may_be_nested_deeper_than_calls(bracket: str) -> None:
    assert addresses("url(a.png) " + bracket * 20_000)[0] == "a.png"


@given(st.text(alphabet="url(){}[]'\"\\/*;:@import -a.1#", max_size=100))
def test_any_style_is_survived(text: str) -> None:
    addresses(text)
    addresses("url(a)" + text)


@given(st.lists(st.from_regex(r"[a-z0-9/._-]{1,20}\.png", fullmatch=True), max_size=5))
def test_what_was_written_is_read_again(hrefs: list[str]) -> None:
    assert addresses("".join(f".a{{color:red;background:url('{href}')}}" for href in hrefs)) == hrefs
