"""NUMBER.receipt.html: what it says, what it never says, and that it stands alone."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from checker.errors import InputError
from checker.model import Use
from checker.optout.entry import Evidence, OptOut, write_entry
from checker.optout.paper_page import qr_text, receipt_page
from checker.optout.receipt import Receipt, read_receipt

FEED_MD = Path(__file__).resolve().parents[2] / "docs" / "feed.md"
SERVER = "https://photos.example/receipts"
LEAF = "6afb1e0907822fba031fedd3637b69f82a9ee411c400b7228a6a2dda3922ce3f"
NEVER = (
    *("safe", "removed", "protected", "protect", "anonymous", "guaranteed", "deleted", "clean", "not scraped"),
    *("proof of ownership", "owner", "infringement", "gdpr compliant", "complies", "faces"),
)


def example() -> Receipt:
    """The worked example of docs/feed.md."""
    found = re.search(r"```json receipt\n(.*?)```", FEED_MD.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return read_receipt(found[1].encode())


@pytest.fixture
def receipt() -> Receipt:
    return example()


class Elements(HTMLParser):
    """Every element with its attributes, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def shown(page: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(Elements(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)).text.split())


def test_it_says_number_time_uses_and_place_in_words(receipt: Receipt) -> None:
    text = shown(receipt_page(receipt, status_address=None))
    assert "Number 4F7K-20M9" in text
    assert "Recorded by 22 November 2026, 14:09 UTC" in text
    assert "It says no to AI training, training AI that makes pictures or text" in text
    assert "It is about 1 picture, told by codes" in text
    assert "Entry 0 of the list log.example/opt-outs" in text


def test_it_carries_what_the_small_print_promises(receipt: Receipt) -> None:
    text = shown(receipt_page(receipt, status_address=None))
    root = base64.b64decode("WVDxRnPmPi8NRUKw9k1kO9bF7ZASHVfPbn/+0i2v+bc=").hex()  # docs/feed.md section 8
    for value in (receipt.origin, receipt.key, LEAF, root, *receipt.checkpoint.split()):
        assert value in text
    assert "Entry, list size 0, 2" in text
    assert f"hibs opt-out verify 4F7K-20M9.receipt.json --key {receipt.key}" in text


def test_it_says_what_it_does_not_show_and_how_to_take_it_back(receipt: Receipt) -> None:
    text = shown(receipt_page(receipt, status_address=SERVER))
    assert "Whose the picture is." in text
    assert "That somebody acted on it." in text
    assert "That there are no copies." in text
    assert "hibs opt-out withdraw 4F7K-20M9.withdraw.txt --server https://photos.example" in text
    assert "--data DIR" in shown(receipt_page(receipt, status_address=None))


def test_no_secret_is_on_it(receipt: Receipt) -> None:
    page = receipt_page(receipt, status_address=SERVER)
    assert "hibs-w1" not in page
    for secret in (receipt.salt, receipt.entry):
        assert secret.hex() not in page
        assert base64.urlsafe_b64encode(secret).decode().rstrip("=") not in page


@pytest.mark.parametrize("word", NEVER)
def test_it_promises_nothing_that_a_list_cannot_keep(receipt: Receipt, word: str) -> None:
    for address in (None, SERVER):
        assert not re.search(rf"\b{word}\b", shown(receipt_page(receipt, status_address=address)).lower())


# --- the code that a phone reads -------------------------------------------------------------------------------


def test_the_code_leads_to_the_status_page_and_the_number_is_never_sent(receipt: Receipt) -> None:
    assert qr_text(receipt, SERVER) == "https://photos.example/receipts#4F7K-20M9"


def test_without_a_server_the_code_says_how_to_find_the_entry(receipt: Receipt) -> None:
    assert qr_text(receipt, None) == f"hibs-opt-out:4F7K-20M9?log=log.example/opt-outs&index=0&leaf={LEAF}"


def test_the_code_stays_small_enough_for_paper(receipt: Receipt) -> None:
    endless = replace(receipt, origin="l" * 200)
    assert qr_text(endless, None) == f"hibs-opt-out:4F7K-20M9?index=0&leaf={LEAF}"
    assert qr_text(receipt, f"https://photos.example/{'a' * 200}") == qr_text(receipt, None)


def test_what_would_break_the_code_s_form_is_escaped(receipt: Receipt) -> None:
    assert "?log=a%26index%3D9%23&index=0&" in qr_text(replace(receipt, origin="a&index=9#"), None)


# --- it stands alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [None, SERVER])
def test_it_runs_nothing_and_loads_nothing(receipt: Receipt, address: str | None) -> None:
    page = receipt_page(receipt, status_address=address)
    elements = Elements(page).elements
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(a["content"] for tag, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not {tag for tag, _ in elements} & {"script", "link", "img", "iframe", "object", "form", "input", "base"}
    for _, attributes in elements:
        assert not [name for name in attributes if name in ("src", "style") or name.startswith("on")]
    links = [attributes["href"] for tag, attributes in elements if tag == "a"]
    assert links == ([f"{SERVER}#4F7K-20M9"] if address else [])
    assert "url(" not in style[1]
    assert "@import" not in style[1]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "photos.example", ""])
def test_an_address_that_is_no_page_is_refused(receipt: Receipt, address: str) -> None:
    with pytest.raises(InputError, match="https://"):
        receipt_page(receipt, status_address=address)


def test_a_log_with_a_hostile_name_stays_text(receipt: Receipt) -> None:
    page = receipt_page(replace(receipt, origin="<img/src=x/onerror=alert(1)>"), status_address=None)
    assert "img" not in {tag for tag, _ in Elements(page).elements}
    assert "<img/src=x/onerror=alert(1)>" in shown(page)


# --- other forms -----------------------------------------------------------------------------------------------


def test_addresses_are_listed_and_many_are_counted(receipt: Receipt) -> None:
    addresses = tuple(sorted(f"photos.example/{n}" for n in range(25)))
    opt_out = OptOut(
        number="4F7K-20M9",
        evidence=Evidence.HOST_FILE,
        pictures=(),
        uses=(Use.TDM, Use.TRAIN_AI),
        addresses=addresses,
    )
    text = shown(receipt_page(replace(receipt, entry=write_entry(opt_out)), status_address=None))
    assert "It is about whatever stands at 25 addresses" in text
    assert addresses[0] in text
    assert "and 5 more, in the receipt file" in text
    assert "What was shown a file or DNS record of the host" in text
    assert "Whose the pictures there are." in text
