"""Vectors written from the texts alone, by somebody who did not write the readers: each line of a table is one vector.

The first word of an expectation is what crawling is (`allow`, `deny`, or `-` where no robots.txt is looked at), the
others are uses; `T` are both training uses, `*` all six, and a final `?` says that something could not be read.
"""

from __future__ import annotations

from typing import Any

import pytest

from checker.signals.vectors import run_vectors

SIX = ("train-ai", "train-genai", "tdm", "search", "index", "all")
SHORT = {"T": ("train-ai", "train-genai"), "*": SIX, "LIST": ("search", "index"), "TDM": ("tdm", *SIX[:2])}

ROBOTS = [
    # RFC 9309 2.2: lines, comments, white space
    ("User-agent: *\nDisallow: /art/ # all of it", "deny"),
    ("User-agent: *#everybody\nDisallow: /art/", "deny"),
    ("User-agent:*\nDisallow:/art/", "deny"),
    ("\tUser-agent\t:\t*\t\n\tDisallow\t:\t/art/\t", "deny"),
    ("User-agent: *\n#Disallow: /", "allow"),
    ("User-agent: *\nDisallow: #/", "allow"),
    ("User-agent: *\n\n\n\nDisallow: /", "deny"),
    ("User-agent: *\rDisallow: /art/\rAllow: /art/a", "allow"),
    ("User-agent: *\r\n\r\nDisallow: /\r\n", "deny"),
    ("User-agent: *\n\rDisallow: /\n\r", "deny"),
    ("User-agent: *\x0cDisallow: /", "allow"),  # a form feed is no line end (2.2), and `*\fDisallow: /` is no agent
    ("User-agent: *\u2028Disallow: /", "allow"),
    ("", "allow"),
    ("\ufeff", "allow"),
    ("Disallow: /", "allow"),
    ("Allow: /\nDisallow: /\nUser-agent: OtherBot\nDisallow: /", "allow"),
    # RFC 9309 2.2.1: which groups speak to us
    ("User-agent: *\nDisallow: /\nUser-agent: EXAMPLEimageBOT\nAllow: /", "allow"),
    ("User-agent: ExampleImageBot\nUser-agent: *\nDisallow: /art/", "deny"),
    ("User-agent: *\nDisallow: /\nUser-agent: ExampleImageBot", "allow"),
    ("User-agent: *\nDisallow: /\nUser-agent: ExampleImageBot\nCrawl-delay: 9", "allow"),
    ("User-agent: ExampleImage\nDisallow: /", "allow"),
    ("User-agent: ExampleImageBot-News\nDisallow: /", "allow"),
    ("User-agent: Example\nAllow: /\nUser-agent: *\nDisallow: /", "deny"),
    ("User-agent: *\nAllow: /\nUser-agent: *\nDisallow: /art/", "deny"),
    ("User-agent: ExampleImageBot\nAllow: /\n\nUser-agent: b\nUser-agent: exampleimagebot\nDisallow: /art/a", "deny"),
    ("User-agent:\nDisallow: /", "allow"),
    ("User-agent: ExampleImageBot (images)\nDisallow: /", "deny"),
    ("User-agent: ExampleImageBot/9 *\nDisallow: /", "deny"),
    ("User-agent: *ImageBot\nDisallow: /", "allow"),
    ("User-agent: **\nDisallow: /", "allow"),
    # RFC 9309 2.2.2: longest match, octets, case
    ("User-agent: *\nDisallow: /art/a.jpg\nAllow: /art/a.jp", "deny"),
    ("User-agent: *\nAllow: /art/*.jpg\nDisallow: /art/a.jpg", "allow"),  # 10 octets against 10
    ("User-agent: *\nAllow: /art/*jpg\nDisallow: /art/a.j", "allow"),
    ("User-agent: *\nDisallow: /ART/", "allow"),
    ("User-agent: *\nDisallow: /%61rt/", "deny"),
    ("User-agent: *\nDisallow: /art%2Fa.jpg", "allow"),
    ("User-agent: *\nDisallow: /art/a%2ejpg", "deny"),
    ("User-agent: *\nDisallow:\nAllow:", "allow"),
    ("User-agent: *\nDisallow: /\nAllow:", "deny"),
    ("User-agent: *\nDisallow: /art/a.jpg/", "allow"),
    ("User-agent: *\nDisallow: /art/a.jpg?", "allow"),
    ("User-agent: *\nDisallow: /robots.txt", "allow"),
    # RFC 9309 2.2.3: special characters
    ("User-agent: *\nDisallow: /*", "deny"),
    ("User-agent: *\nDisallow: *", "deny"),
    ("User-agent: *\nDisallow: */a.", "deny"),
    ("User-agent: *\nDisallow: /$", "allow"),
    ("User-agent: *\nDisallow: /art/a.jpg$", "deny"),
    ("User-agent: *\nDisallow: /art/a.jp$", "allow"),
    ("User-agent: *\nDisallow: /art/$a", "allow"),
    ("User-agent: *\nDisallow: /*a*.*$", "deny"),
    ("User-agent: *\nDisallow: /art/a.jpg**$", "deny"),
    ("User-agent: *\nDisallow: /art/%2A", "allow"),
    ("User-agent: *\nDisallow: $", "allow"),
    ("User-agent: *\nDisallow: art/", "allow"),
    ("User-agent: *\nDisallow: https://img.example/art/", "allow"),
    ("User-agent: *\nDisallow: \\art\\", "allow"),
    # RFC 9309 2.2.4: other records do not interfere, and may be read leniently
    ("User-agent: ExampleImageBot\nHost: a\nfoo\n<p>\nUser-agent: b\nDisallow: /", "deny"),
    ("User-agent: ExampleImageBot\nDisallow\nUser-agent: b\nDisallow: /", "deny"),
    ("User-agent: ExampleImageBot\nDisallow all bots\nUser-agent: b\nDisallow: /", "deny"),
    ("User-agent: *\nNoindex: /art/", "allow"),
    ("User-agent: *\nDisallow-AI: /art/", "allow"),
    ("User-agent: *\nDISSALLOW: /art/", "deny"),
    ("User-agent: *\nDisallowed: /art/", "deny"),
    ("User-agent: *\nDisallow /art/ # no colon", "deny"),
    ("User-agent: *\nDisallow: /\nAllow /art/", "deny"),
    ("User-agent: *\nDisallow: /\nAllows: /art/", "deny"),
    ("User-agent: *\nDisallow: /\n\u00a0Allow: /art/", "deny"),
    ("User-agent: *\n\u00a0Disallow: /art/", "deny"),
    ("User-agent: *\nDisallow:\u3000/art/\u200b", "deny"),
    # read to the letter and as it was meant: what either refuses is refused
    ("User-agent *\nDisallow: /", "deny"),
    ("Useragent: *\nDisallow: /", "deny"),
    ("User agent: ExampleImageBot\nDisallow: /", "deny"),
    ("User-agents: a, ExampleImageBot\nDisallow: /", "deny"),
    ("User-agent: a,ExampleImageBot;b\nDisallow: /", "deny"),
    ("User-agent: *\u00a0\nDisallow: /", "deny"),
    ("\u200bUser-agent: *\nDisallow: /", "deny"),
    ("\udcef\udcbbUser-agent: *\nDisallow: /", "deny"),
    ("User-agent: *\nDisallow: /\n\nUseragent: ExampleImageBot\nDisallow: /x", "deny"),
    ("User-agent: *\nDisallow: /\n\nUser-agent: a, ExampleImageBot\nAllow: /art/", "deny"),
    ("User-agent: *\nDisallow: /x\n\nUser-agent ExampleImageBot\nDisallow: /y", "allow"),
    ("User agent strings are told in the log\nDisallow: /", "allow"),
    ("U\0s\0e\0r\0-\0a\0g\0e\0n\0t\0:\0*\0\n\0D\0i\0s\0a\0l\0l\0o\0w\0:\0/\0\n\0", "deny"),
    ("\udcff\udcfeU\0s\0e\0r\0-\0a\0g\0e\0n\0t\0:\0*\0\n\0A\0l\0l\0o\0w\0:\0/\0\n\0", "allow"),
    # draft-ietf-aipref-attach-05, 3: Content-Usage
    ("User-agent: *\nContent-Usage: train-ai=n", "allow T=deny"),
    ("User-agent: *\n content-usage\t: /art/\ttrain-ai=n,search=y", "allow T=deny search=allow"),
    ("User-agent: *\nContent-Usage: /art train-ai=n\nContent-Usage: /art/a train-ai=y", "allow T=allow"),
    ("User-agent: *\nContent-Usage: /art/ train-ai=n\nContent-Usage: /art/ train-ai=y", "allow T=deny"),
    ("User-agent: *\nContent-Usage: /art/ train-ai=n\nContent-Usage: /%61rt/ search=y", "allow T=deny search=allow"),
    ("User-agent: *\nContent-Usage: /*.jpg$ train-ai=n", "allow T=deny"),
    ("User-agent: *\nContent-Usage: /b/ train-ai=n", "allow"),
    ("User-agent: *\nDisallow: /art/\nContent-Usage: train-ai=n", "deny"),
    ("User-agent: *\nContent-Usage: train-ai=n\n\nUser-agent: ExampleImageBot\nAllow: /", "allow"),
    ("Content-Usage: train-ai=n\nUser-agent: *\nAllow: /", "allow"),
    ("User-agent: a\nContent-Usage: train-ai=y\nUser-agent: *\nContent-Usage: search=n", "allow search=deny"),
    ("User-agent: *\nContent-Usage: train-ai=y#x", "allow T=allow"),
    ("User-agent: *\nContent-Usage: Train-AI=n", "allow ?"),
    ("User-agent: *\nContent-Usage: /art/train-ai=n", "allow"),
    ("User-agent: *\nContent-Usage: /art/,/b/ train-ai=n", "allow"),
    ("User-agent: *\nContent-Usage: art/ train-ai=n", "allow ?"),
    ("User-agent: *\nContent-Usage train-ai=n", "allow T=deny"),
    ("User-agent: *\nContent-Usage train-ai=y", "allow"),
    # Content Signals
    ("User-agent: *\nContent-Signal: AI-TRAIN=NO", "allow T=deny"),
    ("User-agent: *\nContent-Signal: ai-train = no , search = yes", "allow T=deny search=allow"),
    ("User-agent: *\nContent-Signal: ai-train=no\nContent-Signal: ai-train=yes", "allow T=deny"),
    ("User-agent: *\nContent-Signal:", "allow"),
    ("User-agent: *\nDisallow: /art/\nContent-Signal: ai-train=no", "deny"),
    ("User-agent: *\nContent-Signal: search=no, use=immediate", "allow search=deny TDM=conditional"),
    ("User-agent: *\nContent-Signal: ai-train=nope", "allow ?"),
    ("User-agent: b\nContent-Signal: ai-train=no\nUser-agent: *\nAllow: /", "allow T=deny"),
    ("User-agent *\nContent-Signal: ai-train=no", "allow T=deny"),
    ("User-agent: a, b\nContent-Signal: ai-train=yes", "allow"),
    ("User-agent: a, ExampleImageBot\nContent-Signal: ai-train=yes", "allow"),
    ("User-agent: a, ExampleImageBot\nContent-Signal: ai-train=no", "allow T=deny"),
    ("User-agent: *\n\u00a0Content-Signal: ai-train=no, search=yes", "allow T=deny"),
]  # fmt: skip

HEADERS = [
    # draft-ietf-aipref-vocab-07, 6.5 and RFC 9651 4.2
    ("content-usage-header", [], "-"),
    ("content-usage-header", [""], "-"),
    ("content-usage-header", ["train-ai=y, train-ai, search=n, search=\"n\""], "- ?"),
    ("content-usage-header", ["train-ai;allow=n, train-ai=y"], "- T=allow"),
    ("content-usage-header", ["train-ai;has;parameters=\"?\";"], "- ?"),
    ("content-usage-header", ["train-ai;has;parameters=\"?\""], "- ?"),
    ("content-usage-header", ["train-ai=n", "search=y"], "- T=deny search=allow"),
    ("content-usage-header", ["train-ai=n", "train-ai=y"], "- T=allow"),
    ("content-usage-header", ["train-ai=n", ""], "- ?"),  # joined with a comma, and a trailing one is an error
    ("content-usage-header", ["train-ai=y,search=N"], "- T=allow ?"),
    ("content-usage-header", ["train-ai=?1"], "- ?"),
    ("content-usage-header", ["train-ai=(y)"], "- ?"),
    ("content-usage-header", ["train-ai=:eQ==:"], "- ?"),
    ("content-usage-header", ["  train-ai=n  "], "- T=deny"),
    ("content-usage-header", ["train-ai=n\t,\tsearch=y"], "- T=deny search=allow"),
    ("content-usage-header", ["train-ai =n"], "- ?"),
    ("content-usage-header", ["train-ai=y;a=\"é\""], "- ?"),
    ("content-usage-header", ["future=n, *x=y, search=n"], "- search=deny"),
    ("content-usage-header", ["tdm=y, ai=y, all=y"], "-"),
    ("content-usage-header", ["all=n, search=y, train-ai=y"],
     "- all=deny tdm=deny train-ai=allow train-genai=deny index=deny search=allow"),
    # Content Signals as a header
    ("content-signal-header", ["ai-train=yes", "ai-train=no"], "- T=deny"),
    ("content-signal-header", ["search=yes;ai-train=no"], "- ?"),
    ("content-signal-header", ["ai-train=no,,search=no,"], "- T=deny search=deny"),
    ("content-signal-header", ["use=full,ai-train=yes"], "- T=allow"),
    ("content-signal-header", ["use=reference,ai-train=yes"], "- TDM=conditional"),
    ("content-signal-header", ["ai_train=no"], "-"),
    # X-Robots-Tag
    ("x-robots-tag", ["noindex, noai"], "- LIST=deny T=deny"),
    ("x-robots-tag", ["NOINDEX,NOFOLLOW"], "- LIST=deny"),
    ("x-robots-tag", ["noai noimageai"], "- T=deny"),
    ("x-robots-tag", ["otherbot: noai, noindex"], "-"),
    ("x-robots-tag", ["noai, otherbot: noindex"], "- T=deny"),
    ("x-robots-tag", ["otherbot: noindex, exampleimagebot: noai"], "- T=deny"),
    ("x-robots-tag", ["otherbot: noindex", "noai"], "- T=deny"),
    ("x-robots-tag", ["*: noai"], "- T=deny"),
    ("x-robots-tag", ["robots: none"], "- LIST=deny"),
    ("x-robots-tag", ["ExampleImageBot : NoArchive"], "- T=deny"),
    ("x-robots-tag", ["nocache"], "- T=conditional"),
    ("x-robots-tag", ["nocache, noml"], "- T=deny"),
    ("x-robots-tag", ["max-snippet: -1, max-image-preview: large, noimageindex"], "- LIST=deny"),
    ("x-robots-tag", ["all, index, follow, nosnippet, notranslate"], "-"),
    ("x-robots-tag", ["noaindex"], "-"),
    ("x-robots-tag", ["unavailable_after: 25 Jun 2030 15:00:00 GMT"], "-"),
    ("x-robots-tag", ["unavailable_after: Friday, 25-Jun-10 15:00:00 GMT, noai"], "- LIST=deny T=deny"),
    ("x-robots-tag", ["unavailable_after: 2010-06-25"], "- LIST=deny"),
    ("x-robots-tag", ["unavailable_after: 2010-06-25T15:00:00+02:00"], "- LIST=deny"),
    ("x-robots-tag", ["unavailable_after: soon, noai"], "- T=deny ?"),
    ("x-robots-tag", ["otherbot: unavailable_after: soon"], "-"),
    ("x-robots-tag", ["exampleimagebot: unavailable_after: 1 Jan 2020 00:00:00 GMT"], "- LIST=deny"),
    ("x-robots-tag", [":noai"], "- T=deny"),
    ("x-robots-tag", [",, ,noai,"], "- T=deny"),
    # what became of fetching robots.txt: RFC 9309 2.3.1 and our choices
    ("robots-http", {"status": 200, "body": "User-agent: *\nDisallow: /"}, "deny"),
    ("robots-http", {"status": 206, "body": "User-agent: *\nAllow: /"}, "allow"),
    ("robots-http", {"status": 400}, "allow"),
    ("robots-http", {"status": 404, "body": "User-agent: *\nDisallow: /"}, "allow"),
    ("robots-http", {"status": 451}, "allow"),
    *(("robots-http", {"status": status}, "deny") for status in (401, 403, 429, 500, 502, 503, 599)),
    ("robots-http", {"status": 301}, "deny"),
    ("robots-http", {"status": None, "error": "connection"}, "deny"),
    ("robots-http", {"status": 200, "body": "", "redirects": 5}, "allow"),
    ("robots-http", {"status": 200, "body": "", "redirects": 6}, "deny"),
    # several protocols: R1
    ("combine", {"robots": "User-agent: *\nContent-Usage: train-ai=y", "x-robots-tag": ["noai"]}, "allow T=deny"),
    ("combine", {"robots": "User-agent: *\nContent-Signal: ai-train=no", "content-usage-header": ["train-ai=y"]},
     "allow T=deny"),
    ("combine", {"robots": "User-agent: *\nDisallow: /", "content-usage-header": ["search=y"]}, "deny search=allow"),
    ("combine", {"x-robots-tag": ["nocache"], "content-signal-header": ["ai-train=yes"]}, "- T=conditional"),
    ("combine", {"http-status": {"status": 402}, "content-usage-header": ["train-ai=n, search=y"]},
     "- *=conditional T=deny"),
]  # fmt: skip


def expected(words: str) -> dict[str, Any]:
    crawl, *said = words.split()
    uses: dict[str, str] = {}
    for name, _, stance in (word.partition("=") for word in said if word != "?"):
        uses.update(dict.fromkeys(SHORT.get(name, (name,)), stance))
    return {"crawl": None if crawl == "-" else crawl, "uses": uses, "malformed": words.endswith("?")}


def differences(kind: str, given: object, words: str) -> list[object]:
    vector = {"id": "one", "kind": kind, "input": given, "expected": expected(words)}
    return [one.came.to_dict() for one in run_vectors({"vectors": [vector]})]


@pytest.mark.parametrize(("body", "words"), ROBOTS)
def test_a_robots_txt_says_what_its_text_says(body: str, words: str) -> None:
    assert differences("robots", body, words) == []


@pytest.mark.parametrize(("kind", "given", "words"), HEADERS)
def test_a_response_says_what_its_text_says(kind: str, given: object, words: str) -> None:
    assert differences(kind, given, words) == []
