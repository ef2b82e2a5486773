"""NUMBER.receipt.html: the receipt as a person holds it, on a phone or on paper.

It says what the receipt file says and proves nothing by itself: the file NUMBER.receipt.json does. The withdraw code
is never on it, so it can be shown. Its words promise nothing that a list cannot keep: that a no was recorded is so,
that anybody heeded it is not known here.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import segno
from markupsafe import Markup

from checker.errors import InputError
from checker.model import Use
from checker.optout.entry import OptOut
from checker.optout.note import parse_checkpoint
from checker.optout.receipt import Receipt
from checker.optout.sheet import LANGUAGE, SheetWords, fill_in, sheet_words

QR_BYTES_MAX = 200
"""At error level M a code of 61 modules, 0.7 mm each at the printed size: a phone reads it from paper."""
ADDRESSES_SHOWN = 20


def receipt_page(receipt: Receipt, *, status_address: str | None, language: str = LANGUAGE) -> str:
    """The page of one receipt.

    Args:
        receipt: one that was verified; nothing is proved again here.
        status_address: page of the server where its holder asks how it stands ("https://photos.example/receipts", or
            "https://photos.example/de/receipts"). The number is added as a fragment, which no browser sends. None:
            there is no server.
        language: of its words, "de"; one that there is no catalogue for is English.
    Returns:
        One HTML document that stands alone.
    Raises:
        InputError: the address is not one of http or https.
        VerificationError: the receipt's entry or checkpoint cannot be read.
    """
    if status_address is not None and urlsplit(status_address).scheme not in ("http", "https"):
        raise InputError("the page of a server has an address that begins with https://")
    opt_out, text, words = receipt.opt_out(), qr_text(receipt, status_address), sheet_words("receipt", language)
    checkpoint = parse_checkpoint(receipt.checkpoint.partition("\n\n")[0] + "\n")
    code = segno.make_qr(text, error="m", boost_error=False)
    return fill_in(
        "receipt.html",
        language=words.language,
        words=words,
        receipt=receipt,
        # Markup: segno writes a path of numbers and the escaped title; the text itself is nowhere in it.
        qr=Markup(code.svg_inline(border=4, unit=None, omitsize=True, title=words.say("qr.title"))),  # noqa: S704
        qr_text=text,
        status_address=status_address,
        place=f"--server {_server(status_address, language)}" if status_address else "--data DIR",
        signed_at=checkpoint.time,
        root=checkpoint.root.hex(),
        checkpoint=[line for line in receipt.checkpoint.splitlines() if line],
        uses=Markup(", ").join(words.say(f"use.{use.value}") for use in Use if use in opt_out.uses),
        about=_about(opt_out, words),
        has_pictures=bool(opt_out.pictures),
        evidence=words.say(f"evidence.{opt_out.evidence.value}"),
        addresses=opt_out.addresses[:ADDRESSES_SHOWN],
        addresses_left=max(0, len(opt_out.addresses) - ADDRESSES_SHOWN),
    )


def qr_text(receipt: Receipt, status_address: str | None) -> str:
    """What the QR code says: where to ask, or else how to find the entry; short enough to be read from paper."""
    if status_address is not None and len(text := f"{status_address}#{receipt.number}") <= QR_BYTES_MAX:
        return text
    place = f"index={receipt.index}&leaf={receipt.leaf.hex()}"
    text = f"hibs-opt-out:{receipt.number}?log={quote(receipt.origin, safe='/:.')}&{place}"
    return text if len(text) <= QR_BYTES_MAX else f"hibs-opt-out:{receipt.number}?{place}"


def _about(opt_out: OptOut, words: SheetWords) -> Markup:
    """Number of pictures and of addresses."""
    counted = {"about.pictures": len(opt_out.pictures), "about.addresses": len(opt_out.addresses)}
    return Markup("; ").join(words.count(key, number) for key, number in counted.items() if number)


def _server(status_address: str, language: str) -> str:
    """The address for `--server`: without the page, and without the language that its path may begin with."""
    return status_address.removesuffix("/receipts").removesuffix(f"/{language}")
