"""JSON-LD: examples of schema.org and of search engines' guides, and what pages make of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.jsonld import NamedPicture, pictures_in_jsonld


def pictures(data: object) -> list[NamedPicture]:
    return list(pictures_in_jsonld(data if isinstance(data, str) else json.dumps(data)))


@pytest.mark.parametrize(
    "data",
    [
        {"@context": "https://schema.org", "@type": "Article", "image": "a.jpg"},
        {"image": ["a.jpg"]},
        {"image": {"@type": "ImageObject", "url": "a.jpg"}},
        {"image": [{"@type": "ImageObject", "contentUrl": "a.jpg", "url": "/about-this-photo"}]},
        {"@graph": [{"@type": "WebSite"}, {"@type": ["Thing", "ImageObject"], "url": "a.jpg"}]},
        [{"author": {"@type": "Person", "image": "a.jpg"}}],
        {"schema:image": "a.jpg"},
        {"http://schema.org/image": [{"@value": "a.jpg"}]},
        {"@type": "http://schema.org/ImageObject", "contentUrl": "a.jpg"},
        {"primaryImageOfPage": {"url": "a.jpg"}},
    ],
)
def test_the_pictures_of_a_thing_are_found(data: object) -> None:
    assert pictures(data) == [NamedPicture("a.jpg")]


@pytest.mark.parametrize(
    "data",
    [
        {"@type": "VideoObject", "thumbnailUrl": ["a.jpg"], "contentUrl": "film.mp4"},
        {"publisher": {"logo": {"@type": "ImageObject", "url": "a.jpg"}}},
        {"logo": "a.jpg"},
    ],
)
def test_thumbnails_and_logos_are_small(data: object) -> None:
    assert pictures(data) == [NamedPicture("a.jpg", small=True)]


def test_a_picture_comes_with_its_caption_and_its_thumbnail() -> None:
    image = {
        "@type": "ImageObject",
        "contentUrl": "a.jpg",
        "caption": "Sea",
        "name": "x",
        "thumbnail": {"url": "t.jpg"},
    }
    assert pictures(image) == [NamedPicture("a.jpg", "Sea"), NamedPicture("t.jpg", small=True)]


@pytest.mark.parametrize(
    "data",
    [
        {"url": "a.jpg", "@id": "b.jpg", "name": "c.jpg"},
        {"image": None, "logo": 1, "photo": True, "thumbnail": {}},
        {"image": {"@id": "#primaryimage"}},
        "a.jpg",
        "",
        "{",
        "NaN",
        '{"image": "a.jpg"} trailing',
        "1" * 10_000,
        "[" * 100_000,
    ],
)
def test_what_names_no_picture_gives_none(data: object) -> None:
    assert pictures(data) == []


@pytest.mark.parametrize(
    "text",
    [
        '<!-- {"image": "a.jpg"} -->',
        '//<![CDATA[\n{"image": "a.jpg"}\n//]]>',
        ' {"image": "a.jpg"};\n',
        '{"description": "two\nlines", "image": "a.jpg"}',
    ],
)
def test_what_templates_leave_around_and_inside_is_overlooked(text: str) -> None:
    assert pictures(text) == [NamedPicture("a.jpg")]


def test_a_bomb_is_read_to_a_bound() -> None:
    assert len(pictures({"image": ["a"] * 100_000})) < 20_000
    assert pictures({"image": "a" * 2**20}) == []
    deep = '{"image":' * 500 + '"a.jpg"' + "}" * 500
    assert pictures(deep) == [NamedPicture("a.jpg")]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "logo", "@type", "url", "contentUrl", "caption", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_is_survived_and_pictures_are_texts_of_it(data: object) -> None:
    text = json.dumps(data)
    for one in pictures_in_jsonld(text):
        assert json.dumps(one.href) in text


@given(st.text(max_size=50))
def test_any_text_is_survived(text: str) -> None:
    pictures(text)
    pictures("{" + text)
