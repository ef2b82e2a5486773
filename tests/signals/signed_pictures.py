"""Pictures with metadata in them, written byte by byte or signed with keys made on the spot."""

from __future__ import annotations

import datetime as dt
import io
import struct
import zlib
from functools import lru_cache
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
PREFIXES = (
    'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:tdm="http://www.w3.org/ns/tdmrep/"'
)


def xmp(attributes: str = "", elements: str = "") -> bytes:
    """A packet with these attributes and elements on its one rdf:Description."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {PREFIXES} {attributes}>{elements}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def mining(key: str) -> bytes:
    """A packet that says this about data mining."""
    return xmp(f'plus:DataMining="{VOCABULARY}{key}"')


def plain(format: str, side: int = 16) -> bytes:
    """A red square without metadata."""
    body = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 30)).save(body, format)
    return body.getvalue()


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG with these APPn segments at its beginning."""
    written = b"".join(b"\xff" + bytes([0xE0 + n]) + struct.pack(">H", len(data) + 2) + data for n, data in segments)
    body = plain("JPEG")
    return body[:2] + written + body[2:]


def extended(packet: bytes, digest: bytes, part_bytes: int = 60_000) -> list[tuple[int, bytes]]:
    """The APP1 segments of extended XMP, in order."""
    start = b"http://ns.adobe.com/xmp/extension/\0" + digest + struct.pack(">I", len(packet))
    return [
        (1, start + struct.pack(">I", at) + packet[at : at + part_bytes]) for at in range(0, len(packet), part_bytes)
    ]


def png(*chunks: tuple[bytes, bytes], at_end: bool = False) -> bytes:
    """A PNG with these chunks before or behind the picture data."""
    written = b"".join(
        struct.pack(">I", len(data)) + name + data + zlib.crc32(name + data).to_bytes(4) for name, data in chunks
    )
    body = plain("PNG")
    at = body.index(b"IEND") - 4 if at_end else body.index(b"IDAT") - 4
    return body[:at] + written + body[at:]


def itxt(packet: bytes, *, compressed: bool = False) -> tuple[bytes, bytes]:
    """The iTXt chunk of an XMP packet."""
    text = zlib.compress(packet) if compressed else packet
    return b"iTXt", b"XML:com.adobe.xmp\0" + (b"\1" if compressed else b"\0") + b"\0\0\0" + text


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP with these chunks behind the picture."""
    body = plain("WEBP")
    written = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) - 8 + len(written)) + body[8:] + written


def gif(packet: bytes) -> bytes:
    """A GIF with XMP, as XMP part 3 has it: the packet as it is, then a trailer that counts down."""
    body = plain("GIF")
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    at = 13 + 3 * 2 ** ((body[10] & 7) + 1)
    return body[:at] + b"!\xff\x0bXMP DataXMP" + packet + trailer + body[at:]


def tiff(*tags: tuple[int, int, bytes]) -> bytes:
    """A TIFF structure without a picture: one directory of these (number, type, value), values of over 4 bytes."""
    tags = tuple(sorted(tags))
    at = 8 + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, kind, value in tags:
        entries += struct.pack("<HHII", number, kind, len(value), at + len(values))
        values += value
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0" * 4 + values


def iim(*datasets: tuple[int, bytes]) -> bytes:
    """Datasets of record 2 inside Photoshop's resource 0x0404."""
    records = b"".join(b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text for number, text in datasets)
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)


@lru_cache(maxsize=1)
def chain() -> tuple[bytes, bytes]:
    """An authority, a certificate for signing that it issued, and its key, as PEM (C2PA 1.4, 14.5.1)."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]) for name in ("Test authority", "Test")]
    certificates = []
    for is_authority, key, name in ((True, keys[0], names[0]), (False, keys[1], names[1])):
        usage = {
            **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False),
            **dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False),
        }
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not is_authority, key_cert_sign=is_authority, **usage), critical=True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if not is_authority:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        certificates.append(builder.sign(keys[0], hashes.SHA256()))
    pem = serialization.Encoding.PEM
    key_pem = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificates[1].public_bytes(pem) + certificates[0].public_bytes(pem), key_pem


def signed(body: bytes, mime: str, *assertions: tuple[str, Any], parent: bytes | None = None) -> bytes:
    """The file with a C2PA manifest that holds these assertions."""
    certificates, key = chain()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", certificates, key, None))
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    created = {"label": "c2pa.actions", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]}}
    manifest = {
        "claim_generator_info": [{"name": "test", "version": "1"}],
        "assertions": [*([created] if parent is None else []), *({"label": n, "data": d} for n, d in assertions)],
    }
    settings = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    builder = c2pa.Builder(manifest, context=c2pa.Context.from_dict(settings))
    if parent is not None:
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        builder.add_ingredient({"title": "parent", "relationship": "parentOf"}, mime, io.BytesIO(parent))
    out = io.BytesIO()
    builder.sign(signer, mime, io.BytesIO(body), out)
    return out.getvalue()
