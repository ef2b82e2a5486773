"""Let atheris look for XMP packets that make the reader raise, take long, or permit while they are in doubt.

    python tests/fuzz/fuzz_xmp.py -max_total_time=60

Not collected by pytest, and atheris is not among the project's requirements: `pip install atheris` where it is wanted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["checker.signals"]):
    from checker.model import Stance
    from checker.signals.embedded import read_reservations, read_xmp

PIECES = (
    *(
        b"<",
        b"</",
        b"/>",
        b">",
        b'="',
        b'"',
        b" ",
        b"\n",
        b"&#x31;",
        b"&a;",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<?x?>",
    ),
    *(b"rdf:RDF", b"rdf:Description", b"rdf:li", b"rdf:Bag", b"rdf:Alt", b"rdf:Seq", b"rdf:value", b"rdf:resource"),
    *(b"rdf:about", b"rdf:parseType", b"Resource", b"xmlns:a", b"xmlns", b"x:xmpmeta", b"adobe:ns:meta/", b"xml:lang"),
    *(
        b"plus:DataMining",
        b"plus:OtherConstraints",
        b"tdm:reservation",
        b"tdm:policy",
        b"dc:rights",
        b"xmpMM:Ingredients",
    ),
    *(
        b"http://ns.useplus.org/ldf/vocab/DMI-ALLOWED",
        b"http://ns.useplus.org/ldf/vocab/DMI-UNSPECIFIED",
        b"https://a.example/",
    ),
    *(b"http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED", b"-AIMLTRAINING", b"-SEECONSTRAINT", b"1", b"0", b"x-default"),
    *(
        b'<rdf:Description rdf:about="">',
        b"</rdf:Description>",
        b"<plus:DataMining>",
        b"</plus:DataMining>",
        b"<!DOCTYPE a>",
    ),
    *(
        b"<tdm:reservation>",
        b"</tdm:reservation>",
        b"<rdf:li>",
        b"</rdf:li>",
        b"<rdf:Bag>",
        b"</rdf:Bag>",
        b"\x00",
        b"\xff",
    ),
)
HEAD = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    b'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" xmlns:tdm="http://www.w3.org/ns/tdmrep/" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/">'
)
TAIL = b"</rdf:RDF></x:xmpmeta>"


def read_one(data: bytes) -> None:
    """Below 128 a byte is a piece of XMP, which chance alone would not put together, above 127 itself.

    The first byte says whether the packet stands in a sound frame, and whether what it leaves open is closed.
    """
    inner = b"".join(PIECES[byte % len(PIECES)] if byte < 128 else bytes((byte,)) for byte in data[1:])
    kind = data[0] % 3 if data else 0
    packet = (inner, HEAD + inner + TAIL, HEAD + b"<rdf:Description " + inner + b"/>" + TAIL)[kind]
    for finding in read_xmp(packet, place="XMP"):
        finding.raw.encode("utf-8")
        assert len(finding.raw) <= 500
        assert not (finding.malformed and Stance.ALLOW in finding.uses.values())
    read_reservations(packet, place="XMP")


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
