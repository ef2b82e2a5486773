"""Files made to hurt whoever decodes them are rows with a reason, within the time and memory of a small machine."""

from __future__ import annotations

import ast
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hibs_command import CHECKOUT, Hibs

from checker.fingerprint.sandbox import SandboxDecoder
from checker.model import Pixels
from checker.settings import Settings

MEMORY_BYTES_MAX = 1_500_000_000


def benchmark() -> Any:
    """benchmarks/hostile.py, which makes the files and measures the memory."""
    spec = spec_from_file_location("hostile", CHECKOUT / "benchmarks" / "hostile.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOSTILE = benchmark()
COSTLY = {"png-24-megapixels-grey-16-bit.png", "png-one-row.png", "gif-24-megapixels.gif"}
"""Read all the same, by most memory."""
TOO_SLOW_TO_MAKE = {"webp-24-megapixels.webp", "jpeg-49-megapixels-cmyk.jpg"}
REFUSED = {
    **dict.fromkeys(("png-60000-px.png", "png-bomb-49-megapixels.png", "gif-65535-px.gif"), "pixels"),
    "webp-16383-px.webp": "pixels",
    **dict.fromkeys(("png-ztxt-1-gib.png", "png-itxt-1-gib.png", "png-profile-1-gib.png"), "too much metadata"),
    **dict.fromkeys(("png-150000-chunks.png", "apng-100000-frames.png"), "pieces"),
    **{"jpeg-10000-scans.jpg": "passes", "jpeg-700-comments.jpg": "metadata"},
    **{"truncated.jpg": "cut off", "text.jpg": "not a picture", "zero-bytes.jpg": "empty"},
}


def test_hostile_files_are_rows_with_a_reason_and_the_batch_goes_on(hibs: Hibs, tmp_path: Path, images: Path) -> None:
    folder = tmp_path / "upload"
    folder.mkdir()
    for name, make in HOSTILE.HOSTILE.items():
        if name not in TOO_SLOW_TO_MAKE:
            (folder / name).write_bytes(make())
    shutil.copy(images / "chelsea.jpg", folder / "zz.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    done = hibs("fingerprint", folder, folder / "folder.jpg", "--json", exit_code=1)
    assert "Traceback" not in done.stderr
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["zz.jpg"]["status"] == "ok"
    assert "no ordinary file" in rows["pipe.jpg"]["reason"]
    for name, words in REFUSED.items():
        assert words in rows[name]["reason"], name
    unreadable = {name for name, row in rows.items() if row["status"] == "unreadable"}
    assert unreadable - {"pipe.jpg"} == set(REFUSED)


def test_two_workers_on_the_costliest_pictures_stay_within_the_memory_of_a_small_machine() -> None:
    bodies = [HOSTILE.HOSTILE[name]() for name in sorted(COSTLY)]
    before_bytes = HOSTILE.memory_bytes(os.getpid())  # of tests that this process ran before
    with SandboxDecoder(Settings(), workers=2) as decoder, ThreadPoolExecutor(2) as threads:
        with HOSTILE.PeakMemory(os.getpid()) as memory:
            found = list(threads.map(decoder.decode, [body for body in bodies for _ in range(2)]))
        assert all(isinstance(one, Pixels) for one in found)
    assert 300_000_000 < memory.peak_bytes - before_bytes < MEMORY_BYTES_MAX


# --- who decodes where -----------------------------------------------------------------------------------------

MAY_DECODE_HERE = ("checker/fingerprint/", "checker/optout/filter.py")
"""The library, which is given pictures by the program that calls it."""


def test_every_command_and_service_names_its_decoder() -> None:
    files = [path for package in ("checker", "crawler", "api") for path in (CHECKOUT / package).rglob("*.py")]
    for path in files:
        if path.relative_to(CHECKOUT).as_posix().startswith(MAY_DECODE_HERE):
            continue
        for call in [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]:
            # Called, or handed to something that calls it in a thread.
            named = {part.id for part in (call.func, *call.args) if isinstance(part, ast.Name)}
            if named & {"fingerprint_bytes", "fingerprint_file"}:
                assert "decoder" in [keyword.arg for keyword in call.keywords], f"{path}:{call.lineno}"
