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
from checker.optout.entry import Evidence, OptOut
from checker.optout.note import parse_checkpoint
from checker.optout.receipt import Receipt
from checker.optout.sheet import fill_in

QR_BYTES_MAX = 200
"""At error level M a code of 61 modules, 0.7 mm each at the printed size: a phone reads it from paper."""
ADDRESSES_SHOWN = 20
USE_WORDS = {
    Use.TRAIN_AI: "AI training",
    Use.TRAIN_GENAI: "training AI that makes pictures or text",
    Use.TDM: "automatic analysis (text and data mining)",
    Use.SEARCH: "search engines",
    Use.INDEX: "picture indexes",
}
_EVIDENCE = {
    Evidence.CODE: "codes of pictures, not the pictures",
    Evidence.PICTURE: "the picture itself; the list holds its code alone",
    Evidence.HOST_FILE: "a file or DNS record of the host",
}


def receipt_page(receipt: Receipt, *, status_address: str | None) -> str:
    """The page of one receipt.

    Args:
        receipt: one that was verified; nothing is proved again here.
        status_address: page of the server where its holder asks how it stands ("https://photos.example/receipts").
            The number is added as a fragment, which no browser sends. None: there is no server.
    Returns:
        One HTML document that stands alone.
    Raises:
        InputError: the address is not one of http or https.
        VerificationError: the receipt's entry or checkpoint cannot be read.
    """
    if status_address is not None and urlsplit(status_address).scheme not in ("http", "https"):
        raise InputError("the page of a server has an address that begins with https://")
    opt_out, text = receipt.opt_out(), qr_text(receipt, status_address)
    checkpoint = parse_checkpoint(receipt.checkpoint.partition("\n\n")[0] + "\n")
    code = segno.make_qr(text, error="m", boost_error=False)
    return fill_in(
        "receipt.html",
        receipt=receipt,
        # Markup: segno writes a path of numbers; the text itself is nowhere in it.
        qr=Markup(code.svg_inline(border=4, unit=None, omitsize=True, title="QR code")),  # noqa: S704
        qr_text=text,
        status_address=status_address,
        place=f"--server {status_address.removesuffix('/receipts')}" if status_address else "--data DIR",
        signed_at=checkpoint.time,
        root=checkpoint.root.hex(),
        checkpoint=[line for line in receipt.checkpoint.splitlines() if line],
        uses=", ".join(words for use, words in USE_WORDS.items() if use in opt_out.uses),
        about=_about(opt_out),
        has_pictures=bool(opt_out.pictures),
        evidence=_EVIDENCE[opt_out.evidence],
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


def _about(opt_out: OptOut) -> str:
    """Number of pictures and of addresses."""
    pictures, addresses = len(opt_out.pictures), len(opt_out.addresses)
    parts = [f"{pictures:,} picture{'s' * (pictures != 1)}, told by codes"] if pictures else []
    if addresses:
        parts.append(f"whatever stands at {addresses:,} address{'es' * (addresses != 1)}")
    return "; ".join(parts)
