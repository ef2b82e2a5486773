"""Lists of addresses as text: CSV, TSV, TXT, JSON Lines; what they look like in the wild, and what they must not do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from archives_made import entries_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checker.datasets.columns import Named
from checker.model import Locator
from crawler.archives.entries import Entry, Failed, Item, Passed, Trouble
from crawler.archives.lists import read_list

URL, SECOND = "https://img.example/a.jpg", "https://img.example/b.jpg"


def listed(tmp_path: Path, text: str | bytes, name: str = "list.csv", **more: object) -> list[Entry]:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return entries_of(read_list, path, **more)  # type: ignore[arg-type]


def addresses(entries: list[Entry]) -> list[str | None]:
    assert all(isinstance(entry, Item) and entry.url_only for entry in entries), entries
    return [entry.told.image_url for entry in entries if isinstance(entry, Item)]


def test_a_csv_names_its_columns_in_the_first_row(tmp_path: Path) -> None:
    text = f'KEY,TEXT,URL,page_url\r\nk1,"a, ""cat""\nin two lines",{URL},https://blog.example/\r\nk2,,{SECOND},\r\n'
    first, second = listed(tmp_path, text)
    assert isinstance(first, Item)
    assert first.locator == Locator("list.csv", 0, "k1")
    assert (first.told.caption, first.told.page_url) == ('a, "cat"\nin two lines', "https://blog.example/")
    assert isinstance(second, Item)
    assert (second.told.caption, second.told.page_url, second.after) == (None, None, 2)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"id\turl\n1\t{URL}\n2\t{SECOND}\n", "list.tsv"),
        (f"id\turl\n1\t{URL}\n2\t{SECOND}\n", "list.csv"),
        (f"id;url\n1;{URL}\n2;{SECOND}", "list.csv"),
        (f"id|url\n1|{URL}\n2|{SECOND}", "LIST.CSV"),
        (f"{URL}\n{SECOND}\n", "list.csv"),
        (f"1,{URL},x\n2,{SECOND},y\n", "list.csv"),
        (f"\ufeffurl\n{URL}\n{SECOND}\n", "list.csv"),
        (f"\ufeff{URL}\r\n\r\n# a remark\n  {SECOND}  ", "list.txt"),
        (f'{{"url": "{URL}"}}\n\n{{"Url": "{SECOND}", "n": [1]}}\n', "list.jsonl"),
        (f'"{URL}"\n"{SECOND}"\n', "list.ndjson"),
    ],
)
def test_lists_as_people_write_them(tmp_path: Path, text: str, name: str) -> None:
    assert addresses(listed(tmp_path, text, name)) == [URL, SECOND]
    assert addresses(listed(tmp_path, gzip.compress(text.encode()), f"{name}.gz")) == [URL, SECOND]


def test_a_column_can_be_named(tmp_path: Path) -> None:
    assert addresses(listed(tmp_path, f"a,where\n1,{URL}\n", named=Named(url="Where"))) == [URL]
    assert addresses(listed(tmp_path, f'{{"where": "{URL}"}}', "l.jsonl", named=Named(url="where"))) == [URL]


def test_without_a_column_of_addresses_it_says_which_there_are(tmp_path: Path) -> None:
    (entry,) = listed(tmp_path, "a,b\n1,2\n")
    assert isinstance(entry, Failed)
    assert "none of its columns holds addresses (a, b); name one with --url-column" in entry.detail


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("url\nnot an address\n", "l.csv"),
        ("url\nfile:///etc/passwd\n", "l.csv"),
        ("ftp://img.example/a.jpg\n", "l.txt"),
        ("javascript:alert(1)\n", "l.txt"),
        ('{"url": 5}\n', "l.jsonl"),
        ('{"other": "x"}\n', "l.jsonl"),
        ("https://" + "a" * 3000 + "\n", "l.txt"),
    ],
)
def test_a_row_without_an_address_is_named(tmp_path: Path, text: str, name: str) -> None:
    (entry,) = listed(tmp_path, text, name)
    assert isinstance(entry, Failed)
    assert (entry.trouble, entry.locator.row) == (Trouble.NO_ADDRESS, 0)


@pytest.mark.parametrize("line", ["{", "[1]", "7", "null", "[" * 200_000, "1" * 5000])
def test_a_line_that_is_no_object_costs_itself(tmp_path: Path, line: str) -> None:
    failed, item = listed(tmp_path, f'{line}\n{{"url": "{URL}"}}\n', "l.jsonl")
    assert isinstance(failed, Failed)
    assert isinstance(item, Item)


def test_rows_that_img2dataset_could_not_download_are_no_pictures(tmp_path: Path) -> None:
    text = f"url,status,error_message\n{URL},success,\n{SECOND},failed_to_download,HTTP 404\n"
    item, passed = listed(tmp_path, text)
    assert isinstance(item, Item)
    assert passed == Passed(2, "not-downloaded")


@pytest.mark.parametrize("name", ["l.csv", "l.txt", "l.jsonl"])
@pytest.mark.parametrize("start", range(5))
def test_a_reader_goes_on_behind_any_row(tmp_path: Path, name: str, start: int) -> None:
    urls = [f"https://img.example/{number}" for number in range(4)]
    lines = [f'"{url}"' for url in urls] if name == "l.jsonl" else urls
    whole = listed(tmp_path, "\n".join(lines), name)
    assert addresses(whole) == urls
    assert listed(tmp_path, "\n".join(lines), name, start=start) == whole[start:]


# --- damage ----------------------------------------------------------------------------------------------------


def test_utf_16_is_named(tmp_path: Path) -> None:
    (entry,) = listed(tmp_path, f"url\n{URL}\n".encode("utf-16"))
    assert isinstance(entry, Failed)
    assert "UTF-16" in entry.detail


def test_one_json_array_is_named(tmp_path: Path) -> None:
    (entry,) = listed(tmp_path, f'[\n"{URL}"\n]', "l.jsonl")
    assert isinstance(entry, Failed)
    assert "one JSON array" in entry.detail


def test_bytes_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    first, second = listed(tmp_path, b"url,text\n" + URL.encode() + b",caf\xe9\n\0\0," + b"\n")
    assert isinstance(first, Item)
    assert first.told.caption == "caf\ufffd"
    assert isinstance(second, Failed)


def test_a_line_of_megabytes_costs_its_row(tmp_path: Path) -> None:
    for name, head in (("l.csv", "url\n"), ("l.txt", "")):
        failed, item = listed(tmp_path, f"{head}{'x' * 3_000_000}\n{URL}\n", name)
        assert isinstance(failed, Failed)
        assert "the line has more than" in failed.detail
        assert isinstance(item, Item)


def test_a_field_that_is_too_long_costs_its_row(tmp_path: Path) -> None:
    failed, item = listed(tmp_path, f"url,text\n{URL},{'x' * 200_000}\n{URL},y\n")
    assert isinstance(failed, Failed)
    assert "field larger than field limit" in failed.detail
    assert isinstance(item, Item)


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path) -> None:
    rows = "\n".join(f"https://img.example/{number},x" for number in range(20_000))
    entries = listed(tmp_path, f'url,text\n{URL},"oh\n{rows}\n')
    assert [type(entry) for entry in entries].count(Failed) >= 1
    assert len(entries) > 10_000


def test_of_a_cut_off_gzip_the_rows_before_are_kept(tmp_path: Path) -> None:
    text = "\n".join(f"https://img.example/{number}" for number in range(20_000)).encode()
    *items, last = listed(tmp_path, gzip.compress(text)[:-30_000], "l.txt.gz")
    assert len(items) > 10
    assert isinstance(last, Failed)
    assert last.trouble is Trouble.DAMAGED


@pytest.mark.parametrize(
    ("line", "why"), [(b"\n", "more lines than bytes"), (b"x" * 2000 + b"\n", "100 times its size")]
)
def test_a_gzip_bomb_is_stopped(tmp_path: Path, line: bytes, why: str) -> None:
    *_, last = listed(tmp_path, gzip.compress(line * (100 * 2**20 // len(line))), "l.txt.gz")
    assert isinstance(last, Failed)
    assert why in last.detail


_TEXT = st.text("urlhtps:/.,;|\t\n\r\"'\\{}[]# a1\0\ufeff\ud800é", max_size=80)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_TEXT, st.sampled_from(["csv", "tsv", "txt", "jsonl"]), st.booleans())
def test_no_text_makes_the_reader_fail(tmp_path: Path, text: str, kind: str, headed: bool) -> None:
    body = f"{'url,text' if headed else ''}\n{text}".encode("utf-8", "surrogatepass")
    for number, entry in enumerate(listed(tmp_path, body, f"l.{kind}"), 1):
        assert isinstance(entry, Item | Failed | Passed)
        assert entry.after <= number


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(["csv", "tsv", "txt", "jsonl", "csv.gz"]))
def test_no_bytes_make_the_reader_fail(tmp_path: Path, body: bytes, kind: str) -> None:
    for entry in listed(tmp_path, body, f"l.{kind}"):
        assert isinstance(entry, Item | Failed | Passed)
