"""Files made to hurt whoever decodes them: what becomes of each, how long it takes, and the memory of all processes.

`python benchmarks/hostile.py [--workers N] [--keep FOLDER]`

The files are made here. Each one is decoded by all workers at once, with a view, and the last row is `hibs ingest` over
all of them in a folder. Memory is the largest sum over the process and its workers, sampled every 5 ms: PSS where the
system lets us read it (root), else RSS, which counts shared pages more than once.
"""

from __future__ import annotations

import argparse
import io
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from checker.fingerprint.sandbox import SandboxDecoder
from checker.model import Unreadable
from checker.settings import Settings

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the files here")
    arguments = parser.parse_args()
    print("| file | bytes | reason | seconds | peak memory of all processes, MiB |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary, "hostile")
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in HOSTILE.items():
            body = make()
            Path(folder, name).write_bytes(body)
            print(_row(name, body, arguments.workers), flush=True)
        print(_ingest_row(folder, Path(temporary, "data"), arguments.workers))


def _row(name: str, body: bytes, workers: int) -> str:
    settings = Settings()
    with SandboxDecoder(settings, workers=workers) as decoder, ThreadPoolExecutor(workers) as threads:
        list(threads.map(decoder.decode, [b"all workers start"] * 2 * workers))
        with PeakMemory(os.getpid()) as memory:
            begin_s = time.monotonic()
            found, *_ = threads.map(lambda one: decoder.decode(one, view=True), [body] * workers)
            seconds = time.monotonic() - begin_s
    said = f"{found.reason}: {found.detail}" if isinstance(found, Unreadable) else f"read, {found.width}x{found.height}"
    return f"| {name} | {len(body):,} | {said} | {seconds:.2f} | {memory.peak_bytes / 2**20:,.0f} |"


def _ingest_row(folder: Path, data: Path, workers: int) -> str:
    command = [sys.executable, "-m", "checker", "ingest", str(folder), "--data", str(data)]
    begin_s = time.monotonic()
    environment = {**os.environ, "HIBS_DECODE_WORKERS": str(workers)}
    done = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    with PeakMemory(done.pid) as memory:
        said = (done.communicate()[0] or "").strip()
    seconds, size = time.monotonic() - begin_s, sum(path.stat().st_size for path in folder.iterdir())
    return f"| all, `hibs ingest` | {size:,} | {said} | {seconds:.2f} | {memory.peak_bytes / 2**20:,.0f} |"


# --- memory ----------------------------------------------------------------------------------------------------


class PeakMemory:
    """Samples the memory of a process and its children (not theirs) while it is entered."""

    def __init__(self, process_id: int, *, every_s: float = 0.005) -> None:
        self._process_id = process_id
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        done = False
        while not done:
            done = self._stop.wait(self._every_s)
            family = [self._process_id, *children_of(self._process_id)]
            self.peak_bytes = max(self.peak_bytes, sum(map(memory_bytes, family)))


def children_of(process_id: int) -> list[int]:
    """Process ids of what a process, with all its threads, started."""
    found: list[int] = []
    for thread in Path(f"/proc/{process_id}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text().split())
        except OSError:  # it ended
            continue
    return found


def memory_bytes(process_id: int) -> int:
    """PSS, else RSS; 0: it is gone."""
    for name, member in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{process_id}/{name}").read_text().splitlines()
        except OSError:
            continue
        if sizes := [int(line.split()[1]) for line in lines if line.startswith(member)]:
            return sizes[0] * 1024
    return 0


# --- files -----------------------------------------------------------------------------------------------------


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG of these claims (PNG, third edition, 11.2.2), `extra` chunks before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """Length, type, data, check."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(size: int) -> bytes:
    """A zlib stream of `size` zero bytes, made from one piece: a flush lets the pieces be put one behind the other."""
    piece_bytes = min(size, 2**24)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(piece_bytes)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = rest.compress(bytes(size % piece_bytes)) + rest.flush()
    adler = size % 65_521 << 16 | 1  # of zeros: RFC 1950, section 8.2
    return b"\x78\xda" + piece * (size // piece_bytes) + end + struct.pack(">I", adler)


def flat_png(width: int, height: int, *, depth: int, colour: int) -> bytes:
    """A whole PNG of zeros: a few kilobytes for any size."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    return png(width, height, depth=depth, colour=colour, rows=zeros(height * (1 + width * samples * depth // 8)))


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    """As Pillow writes it."""
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def jpeg_of_scans(count: int) -> bytes:
    """A small progressive JPEG whose last pass is repeated."""
    body = saved(Image.radial_gradient("L"), "JPEG", progressive=True)
    scan = body[min(body.rfind(b"\xff\xda"), body.rfind(b"\xff\xc4")) : -2]
    return body[:-2] + scan * count + body[-2:]


def largest_jpeg() -> bytes:
    """Just within the limits: 49 megapixels of four full-size components, each coefficient held in memory."""
    return saved(Image.new("CMYK", (7000, 7000), (9, 99, 199, 9)), "JPEG", progressive=True, subsampling=0)


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF that claims this screen and holds frames of one pixel (GIF89a 18, 20)."""
    frame = b"\x21\xf9\x04\0\0\0\0\0" + b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0" + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def apng(frames: int) -> bytes:
    """An animated PNG of one pixel with this many frames."""
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    body = png(1, 1, colour=0, rows=zlib.compress(b"\0\0"), extra=control)
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, 1, 1, 0, 0, 1, 1, 0, 0)) + chunk(b"fdAT", b"\0\0\0\2")
    return body[:-12] + frame * frames + body[-12:]


def webp_claim(width: int, height: int) -> bytes:
    """A lossless WebP of this size and no pixels (RFC 9649 3.4), within an extended header that says the same."""
    bits = (width - 1) | (height - 1) << 14 | 1 << 28
    data = b"\x2f" + struct.pack("<I", bits) + bytes(11)
    canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas + b"VP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(parts)) + parts


def webp_24_megapixels() -> bytes:
    """Just within the limits, with transparency."""
    levels = np.zeros((4000, 6000, 4), dtype=np.uint8)
    levels[..., 0] = np.arange(6000) % 251
    levels[..., 3] = (np.arange(4000) % 256)[:, None]
    return saved(Image.fromarray(levels), "WEBP", quality=1, method=0, alpha_quality=0)


def zipped_text(kind: bytes) -> bytes:
    """A PNG with 1 GiB of compressed text or colour profile."""
    middle = b"\0\0" if kind in (b"zTXt", b"iCCP") else b"\0\1\0\0\0"
    return png(1, 1, colour=0, rows=zlib.compress(b"\0\0"), extra=chunk(kind, b"name" + middle + zeros(2**30)))


def with_segments(marker: bytes, count: int, size: int) -> bytes:
    """A JPEG with this much metadata."""
    body = saved(Image.radial_gradient("L"), "JPEG")
    return body[:2] + (b"\xff" + marker + struct.pack(">H", size + 2) + bytes(size)) * count + body[2:]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "png-60000-px.png": lambda: png(60_000, 60_000, rows=zlib.compress(b"")),
    "png-bomb-49-megapixels.png": lambda: flat_png(7000, 7000, depth=8, colour=6),
    "png-bomb-24-megapixels-64-bit.png": lambda: flat_png(6000, 4000, depth=16, colour=6),
    "png-24-megapixels-grey-16-bit.png": lambda: flat_png(6000, 4000, depth=16, colour=0),
    "png-one-row.png": lambda: flat_png(24_000_000, 1, depth=8, colour=2),
    "png-ztxt-1-gib.png": lambda: zipped_text(b"zTXt"),
    "png-itxt-1-gib.png": lambda: zipped_text(b"iTXt"),
    "png-profile-1-gib.png": lambda: zipped_text(b"iCCP"),
    "png-150000-chunks.png": lambda: png(1, 1, extra=chunk(b"abCd", b"") * 150_000),
    "apng-40000-frames.png": lambda: apng(40_000),
    "apng-100000-frames.png": lambda: apng(100_000),
    "gif-100000-frames.gif": lambda: gif(1, 1, 100_000),
    "gif-65535-px.gif": lambda: gif(65_535, 65_535, 1),
    "gif-24-megapixels.gif": lambda: gif(6000, 4000, 1),
    "jpeg-10000-scans.jpg": lambda: jpeg_of_scans(10_000),
    "jpeg-49-megapixels-cmyk.jpg": largest_jpeg,
    "jpeg-18-mib-metadata.jpg": lambda: with_segments(b"\xe1", 290, 65_533),
    "jpeg-700-comments.jpg": lambda: with_segments(b"\xfe", 700, 1),
    "webp-16383-px.webp": lambda: webp_claim(16_383, 16_383),
    "webp-24-megapixels.webp": webp_24_megapixels,
    "truncated.jpg": lambda: (FIXTURES / "images" / "chelsea.jpg").read_bytes()[:9000],
    "text.jpg": lambda: b"This is no picture.\n" * 100,
    "zero-bytes.jpg": lambda: b"",
}


if __name__ == "__main__":
    main()
