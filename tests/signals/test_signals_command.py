"""`hibs signals`, as a person or a script meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from checker.commands.signals import signals
from checker.signals.read import Evidence, RobotsFetch

URL = "https://img.example/art/a.jpg"


def hibs_signals(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(signals)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


def fetch_evidence(url: str, *, contact: str, allow_addresses: tuple[str, ...], **_: object) -> Evidence:
    """Stands in for the crawler behind the entry point; writes what it was given into a header."""
    tag = f"noai, {contact}, {' '.join(allow_addresses)}"
    return Evidence(url, robots=RobotsFetch(404), status=200, headers=(("X-Robots-Tag", tag),))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    (tmp_path / "robots.txt").write_text("User-agent: *\nContent-Usage: train-ai=n\nAllow: /\n")
    (tmp_path / "headers.txt").write_text(
        "HTTP/1.1 200 OK\r\nX-Robots-Tag: noindex\r\nContent-Type: image/jpeg\r\n\r\n"
    )
    (tmp_path / "page.html").write_text("<meta name=robots content=noai><meta name=tdm-reservation content=1>")
    (tmp_path / "tdmrep.json").write_text('[{"location": "/", "tdm-reservation": 0}]')
    return tmp_path


def verdict_of(*arguments: str | Path) -> dict[str, str]:
    result = hibs_signals("--url", URL, *arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    verdict: dict[str, str] = json.loads(result.stdout)["verdict"]
    return verdict


def test_several_saved_files_are_read_together(saved: Path) -> None:
    files = ("--robots", saved / "robots.txt", "--headers", saved / "headers.txt", "--tdmrep", saved / "tdmrep.json")
    assert verdict_of(*files) == {
        "crawl": "allow",
        "train-ai": "deny",
        "train-genai": "deny",
        "tdm": "allow",
        "search": "deny",
        "index": "deny",
        "all": "unspecified",
    }


def test_without_robots_txt_crawling_is_unspecified(saved: Path) -> None:
    assert verdict_of("--headers", saved / "headers.txt")["crawl"] == "unspecified"


def test_findings_carry_their_place_and_the_text_that_decided(saved: Path) -> None:
    result = hibs_signals("--url", URL, "--robots", saved / "robots.txt", "--json")
    assert json.loads(result.stdout)["findings"][0] == {
        "signal": "content-usage",
        "place": "robots.txt line 2",
        "raw": "Content-Usage: train-ai=n",
        "uses": {"train-ai": "deny", "train-genai": "deny"},
        "crawl": "unspecified",
        "version": "draft-ietf-aipref-attach-05",
        "scope": "/",
        "malformed": False,
        "unreachable": False,
        "inferred": False,
    }


def test_a_page_tag_reaches_the_picture_and_its_tdmrep_tag_does_not(saved: Path) -> None:
    embedded = verdict_of("--html", saved / "page.html", "--page-url", "https://img.example/page")
    assert (embedded["train-ai"], embedded["tdm"]) == ("deny", "unspecified")
    assert verdict_of("--html", saved / "page.html")["tdm"] == "deny"
    assert verdict_of("--html", saved / "page.html", "--page-url", URL + "#top")["tdm"] == "deny"


def test_the_table_names_the_deciding_line_first(saved: Path) -> None:
    result = hibs_signals("--url", URL, "--robots", saved / "robots.txt")
    assert result.stdout.splitlines() == [
        "decided by   robots.txt line 2: Content-Usage: train-ai=n",
        "",
        "crawl        allow        robots.txt line 3",
        "train-ai     deny         robots.txt line 2",
        "train-genai  deny         robots.txt line 2",
        "tdm          unspecified",
        "search       unspecified",
        "index        unspecified",
        "all          unspecified",
    ]


def test_the_table_explains_unknown(saved: Path) -> None:
    (saved / "tdmrep.json").write_text("{}")
    lines = hibs_signals("--url", URL, "--tdmrep", saved / "tdmrep.json").stdout.splitlines()
    assert "tdm          unknown      tdmrep.json (malformed)" in lines
    assert lines[-1] == "unknown: something was there that could not be read or fetched; it is no permission."


def test_another_agent_is_read_by_its_own_group(saved: Path) -> None:
    (saved / "robots.txt").write_text("User-agent: OtherBot\nDisallow: /\n")
    assert verdict_of("--robots", saved / "robots.txt")["crawl"] == "allow"
    assert verdict_of("--robots", saved / "robots.txt", "--agent", "OtherBot")["crawl"] == "deny"


def test_of_several_header_blocks_the_final_response_counts(saved: Path) -> None:
    (saved / "headers.txt").write_text("HTTP/2 302\nX-Robots-Tag: noai\n\nHTTP/2 402\nCrawler-Price: USD\n 0.01\n")
    result = hibs_signals("--url", URL, "--headers", saved / "headers.txt", "--json")
    document = json.loads(result.stdout)
    assert set(document["verdict"].values()) == {"unspecified", "conditional"}
    assert document["findings"][0]["raw"] == "402 crawler-price: USD 0.01"


def test_escape_sequences_of_strangers_are_shown_as_codes(saved: Path) -> None:
    (saved / "headers.txt").write_text("X-Robots-Tag: noai, \x1b[2J\n")
    assert "\x1b" not in hibs_signals("--url", URL, "--headers", saved / "headers.txt").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "hibs: say which address to ask about: --url https://..."),
        (["--url", "ftp://a.example/x"], "hibs: --url ftp://a.example/x is not a web address"),
        (["--url", "a.jpg"], "hibs: --url a.jpg is no address"),
        (["--url", URL, "--robots", "missing.txt"], "hibs: missing.txt cannot be read: No such file or directory"),
        (["--url", URL, "--html", "HERE/page.html", "--page-url", "page"], "hibs: --page-url page is no address"),
        (["--url", URL, "--page-url", URL], "give that page with --html as well"),
        (["--url", URL, "--headers", "HERE/robots.bad"], "robots.bad line 1 is no header"),
        (["--url", URL, "--headers", "HERE/status.bad"], "status.bad line 1 is no status line"),
    ],
)
def test_unusable_input_gets_one_sentence_and_exit_2(saved: Path, arguments: list[str], sentence: str) -> None:
    (saved / "robots.bad").write_text("no colon here\n")
    (saved / "status.bad").write_text("HTTP/1.1 OK\n")
    result = hibs_signals(*(argument.replace("HERE", str(saved)) for argument in arguments))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_with_an_address_alone_the_installed_crawler_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "stand_in-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[hibs.signals_fetch]\nhttp = {__name__}:fetch_evidence\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = hibs_signals(
        "--url", URL + "#x", "--contact", "me@a.example", "--allow-address", "127.0.0.1:1", "--json"
    )  # fmt: skip
    document = json.loads(result.stdout)
    assert document["verdict"]["crawl"] == "allow"
    assert document["findings"][0]["raw"] == "noai, me@a.example, 127.0.0.1:1"


def test_without_a_crawler_installed_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import ada_url  # noqa: F401 - the path is emptied below, so what the command imports must be loaded before

    import checker.settings  # noqa: F401

    monkeypatch.setattr(sys, "path", [])
    result = hibs_signals("--url", URL)
    assert result.exit_code == 2
    assert "no way to fetch an address is installed" in result.stderr


def test_ai_txt_trust_txt_licence_and_the_picture_itself_are_read(tmp_path: Path) -> None:
    (tmp_path / "ai.txt").write_text("User-Agent: *\nDisallow: *.jpg\n")
    (tmp_path / "trust.txt").write_text("datatrainingallowed=no\n")
    (tmp_path / "robots.txt").write_text("User-agent: *\nAllow: /\nLicense: https://img.example/rsl.xml\n")
    (tmp_path / "rsl.xml").write_text(
        '<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
        '<prohibits type="usage">ai-train</prohibits></license></content></rsl>'
    )
    (tmp_path / "a.xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
        'plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"/></rdf:RDF></x:xmpmeta>'
    )
    assert verdict_of("--ai-txt", tmp_path / "ai.txt")["train-ai"] == "deny"
    assert verdict_of("--trust-txt", tmp_path / "trust.txt")["train-genai"] == "deny"
    assert verdict_of("--image", tmp_path / "a.xmp")["tdm"] == "deny"
    robots = ("--robots", tmp_path / "robots.txt")
    assert verdict_of(*robots)["train-ai"] == "conditional", "a licence that is not there permits nothing"
    licence = f"https://img.example/rsl.xml={tmp_path / 'rsl.xml'}"
    assert verdict_of(*robots, "--licence", licence)["train-ai"] == "deny"


def test_a_licence_without_its_address_is_refused(tmp_path: Path) -> None:
    result = hibs_signals("--url", URL, "--licence", str(tmp_path))
    assert result.exit_code == 2
    assert "give it as URL=FILE" in result.output


def test_a_licence_that_nothing_points_at_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.xml").write_text("<rsl/>")
    result = hibs_signals("--url", URL, "--licence", f"https://img.example/l.xml={tmp_path / 'l.xml'}")
    assert result.exit_code == 2
    assert "nothing that was given points at it" in result.output


def test_a_vector_that_cannot_be_run_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('[{"id": "V1", "kind": "robot", "input": "", "expected": {}}]')
    result = hibs_signals("--vectors", path)
    assert result.exit_code == 2
    assert f"{path}: vector V1: kind should be one of robots" in " ".join(result.output.split())


def test_vectors_are_run_and_those_that_differ_are_named(tmp_path: Path) -> None:
    vectors = Path(__file__).with_name("vectors.json")
    assert hibs_signals("--vectors", vectors).stdout == "69 of 69 as expected\n"
    document = json.loads(vectors.read_text())
    document["vectors"][0]["expected"]["crawl"] = "allow"
    (tmp_path / "wrong.json").write_text(json.dumps(document))
    result = hibs_signals("--vectors", tmp_path / "wrong.json")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("S01: expected ")
    assert result.stdout.splitlines()[-1] == "68 of 69 as expected"
    told = json.loads(hibs_signals("--vectors", tmp_path / "wrong.json", "--json").stdout)
    assert (told["vectors"], told["as_expected"], told["differences"][0]["id"]) == (69, 68, "S01")


def test_a_file_that_holds_no_vectors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    assert hibs_signals("--vectors", tmp_path / "none.json").exit_code == 2
