"""The documents hold: the README's example runs, and no command, setting, exit code or problem is missing from them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs
from PIL import Image, ImageOps

from checker.console import ExitCode
from checker.settings import Settings

README = (CHECKOUT / "README.md").read_text()


@pytest.fixture
def example(images: Path, tmp_path: Path) -> Path:
    """The files that the README's example speaks of."""
    (tmp_path / "seen").mkdir()
    for name in ("astronaut.jpg", "chelsea.jpg", "coffee.jpg"):
        (tmp_path / "seen" / name).write_bytes((images / name).read_bytes())
    photo = Image.open(images / "astronaut.jpg")
    photo.resize((photo.width // 2, photo.height // 2)).save(tmp_path / "selfie.jpg", quality=60)
    ImageOps.mirror(Image.open(images / "coffee.jpg")).save(tmp_path / "mirrored.jpg", quality=90)
    (tmp_path / "holiday.jpg").write_bytes((images / "rocket.jpg").read_bytes())
    return tmp_path


def timeless(text: str) -> str:
    return re.sub(r"\d+\.\d s\b", "SECONDS", re.sub(r"\d{4}-\d\d-\d\d", "DATE", text)).strip()


def test_the_example_prints_what_the_readme_shows(hibs: Hibs, example: Path) -> None:
    (block,) = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    for shown in re.split(r"^\$ hibs ", block, flags=re.MULTILINE)[1:]:
        command, _, output = shown.partition("\n")
        assert timeless(hibs(*command.split()).stdout) == timeless(output)


def test_the_library_example_runs(hibs: Hibs, example: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example / "dataset").mkdir()
    (example / "dataset" / "000001.jpg").write_bytes((example / "selfie.jpg").read_bytes())
    hibs("opt-out", "add", images / "astronaut.jpg", "--data", "d")
    hibs("feed", "sync", "--data", "d", "feed")
    monkeypatch.chdir(example)
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    *setup, last = code.strip().splitlines()
    names: dict[str, object] = {}
    exec("\n".join(setup), names)
    assert (
        str(
            eval(
                last.partition("#")[0]
                .replace("open(", "__import__('pathlib').Path(")
                .replace(', "rb").read()', ").read_bytes()"),
                names,
            )
        )
        == "drop"
    )


def test_the_two_commands_stand_at_the_top_and_exist() -> None:
    commands = re.findall(r"^    make (\w+)", README, flags=re.MULTILINE)
    assert commands == ["demo", "test"]
    makefile = (CHECKOUT / "Makefile").read_text()
    assert all(re.search(rf"^{name}:", makefile, flags=re.MULTILINE) for name in commands)


def test_every_command_stands_in_the_readme(hibs: Hibs) -> None:
    listed = hibs("--help").stdout.partition("Commands:")[2]
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", listed, flags=re.MULTILINE)
    assert len(commands) >= 11
    for name in commands:
        assert f"hibs {name}" in README, f"{name} is not in the README"
        assert hibs(name, "--help").stdout.startswith(f"Usage: hibs {name}")


def test_every_command_named_in_the_readme_exists(hibs: Hibs) -> None:
    named = set(re.findall(r"\bhibs ([a-z][a-z-]+)", README))
    listed = set(re.findall(r"^  ([a-z][a-z-]+)  ", hibs("--help").stdout, flags=re.MULTILINE))
    assert named <= listed


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    for field in fields(Settings):
        default = getattr(Settings(), field.name)
        shown = "empty" if default == "" else default
        assert re.search(rf"^\| `HIBS_{field.name.upper()}` \| {shown} \|", README, flags=re.MULTILINE), field.name


def test_every_exit_code_stands_in_the_readme() -> None:
    assert [int(n) for n in re.findall(r"^\| (\d+) \| ", README, flags=re.MULTILINE)] == [int(c) for c in ExitCode]


def test_files_that_documents_name_exist() -> None:
    for document in (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))):
        for name in re.findall(
            r"\b(?:docs|tests|benchmarks|fixtures|checker|crawler|api)/[\w/]+\.(?:md|py|json)\b", document.read_text()
        ):
            assert (CHECKOUT / name).exists(), f"{document.name} names {name}"


def test_every_problem_has_its_line_in_the_api_document() -> None:
    from api.problems import ProblemKind

    text = (CHECKOUT / "docs" / "api.md").read_text()
    for kind in ProblemKind:
        assert f"`{kind.value}`" in text, kind


BANNED = (
    "your photo is safe",
    "you are safe",
    "not scraped",
    "100 %",
    "anonymous lookup",
    "gdpr compliant",
    "proof of ownership",
)


@pytest.mark.parametrize("document", ["README.md", "docs/signals.md", "docs/feed.md", "docs/api.md"])
def test_no_document_promises_what_nobody_can_hold(document: str) -> None:
    text = (CHECKOUT / document).read_text().lower()
    assert [phrase for phrase in BANNED if phrase in text] == []
