"""What may stand in the environment, and what stops the start."""

from __future__ import annotations

import pytest
from hibs_command import Hibs

from checker.errors import InputError
from checker.settings import Settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HIBS_STORED_PARTS", "zzz", "HIBS_STORED_PARTS is one of on, off, not 'zzz'"),
        ("HIBS_STORED_PARTS", "", "HIBS_STORED_PARTS is one of on, off, not ''"),
        ("HIBS_ROBUST", "zzz", "HIBS_ROBUST is one of auto, on, off, not 'zzz'"),
        ("HIBS_ROBUST", "", "HIBS_ROBUST is one of auto, on, off, not ''"),
    ],
)
def test_a_word_that_is_none_of_a_setting_stops_the_start(name: str, value: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Settings.from_environment({name: value})


def test_nor_can_a_program_set_it() -> None:
    with pytest.raises(InputError, match="HIBS_STORED_PARTS is one of on, off, not 'ON'"):
        Settings(stored_parts="ON")


@pytest.mark.parametrize(
    "contact", ["me@example.org", "mailto:me@example.org", "https://example.org/imprint", "http://localhost:8000/", ""]
)
def test_a_contact_is_a_mail_address_or_a_page(contact: str) -> None:
    assert Settings.from_environment({"HIBS_CONTACT": contact}).contact == contact


@pytest.mark.parametrize("contact", ["zzz", "@", "example.org", "Jane (me@example.org)", "a@b.example\nX-Forged: 1"])
def test_what_reaches_nobody_is_no_contact(contact: str) -> None:
    with pytest.raises(InputError, match=r"HIBS_CONTACT is a mail address or the address of a page"):
        Settings.from_environment({"HIBS_CONTACT": contact})


def test_blanks_are_nobody() -> None:
    settings = Settings.from_environment({"HIBS_OPERATOR": " \t", "HIBS_CONTACT": " "})
    assert (settings.operator, settings.contact) == ("", "")
    named = Settings.from_environment({"HIBS_OPERATOR": " Example e.V. ", "HIBS_CONTACT": " me@example.org\n"})
    assert (named.operator, named.contact) == ("Example e.V.", "me@example.org")


def test_a_service_does_not_start_with_such_a_value(hibs: Hibs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIBS_STORED_PARTS", "zzz")
    done = hibs("serve", "--data", "data", "--port", "0", exit_code=2)
    assert done.stderr == "hibs: HIBS_STORED_PARTS is one of on, off, not 'zzz'\n"


@pytest.mark.parametrize("command", [("stats",), ("sources",), ("keys", "list"), ("audit", "verify")])
def test_the_commands_that_have_no_setting_do_not_look(
    hibs: Hibs, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """As the README says."""
    monkeypatch.setenv("HIBS_FOO", "1")
    assert "HIBS_FOO" not in hibs(*command, "--data", "nothing", exit_code=2).stderr
    assert "HIBS_FOO" in hibs("index", "verify", "--data", "nothing", exit_code=2).stderr
