"""Fetches what `hibs signals --url` reads: robots.txt and the other files of the host, the address itself where
robots.txt allows, and the licences that any of them points at.

The same guard, pace and name as in a crawl; nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from checker.console import printable
from checker.errors import RemoteError
from checker.settings import Settings
from checker.signals.read import Evidence, RobotsFetch, licences_of
from crawler.addresses import clean, join
from crawler.evidence import as_fetch, evidence_of
from crawler.fetch import Ask, Fetched, Head, HttpFetcher, NotFetched
from crawler.guard import Guard
from crawler.plan import make_plan
from crawler.settings import AGENT_TOKEN, CrawlSettings
from crawler.sites import Reached, Sites, is_unreachable
from crawler.turns import Clock, Turns
from crawler.visit import is_page, is_picture


def fetch_evidence(url: str, *, contact: str, allow_addresses: Sequence[str]) -> Evidence:
    """Fetch what the publisher says about `url`.

    Args:
        contact: e-mail address or page of whoever asks; needed for every address beyond this machine.
        allow_addresses: "HOST:PORT" of local addresses to open.

    Returns:
        What was looked at. Where robots.txt closes the way, only that.

    Raises:
        InputError: no http(s) address, or no contact.
        RemoteError: the address was allowed and did not answer.
    """
    plan = make_plan((url,), settings=CrawlSettings(contact=contact), opened=allow_addresses)
    settings = replace(plan.settings, delay_local_s=0.0)
    address = join(url, "") or url  # with the signed parts of its query: nothing is stored here
    return asyncio.run(_fetch(address, settings, plan.guard))


async def _fetch(url: str, settings: CrawlSettings, guard: Guard) -> Evidence:
    clock = Clock()

    def ask(hop: str, _: RobotsFetch) -> Ask:
        return Ask(
            hop, bytes_max=Settings().picture_bytes_max, wants_body=lambda head: is_page(head) or is_picture(head)
        )

    async with HttpFetcher(settings, guard) as fetcher:
        sites = Sites(Turns(fetcher, settings, guard, clock, asyncio.Event()), settings, clock)
        reached = await sites.reach(url, ask)
        if is_unreachable(reached.robots):
            return evidence_of(reached.url, reached.robots, None)
        head, body = _answered(reached)
        files = await sites.files(reached.url)
        page = body if head and is_page(head) else None
        evidence = evidence_of(
            reached.url, reached.robots, head, files=files, html=page, image=body if page is None else None
        )
        licences = {
            one.url: await sites.small_file(one.url) for one in licences_of(evidence, agent=AGENT_TOKEN) if one.url
        }
        found = ((address, as_fetch(file)) for address, file in licences.items())
        known = tuple((address, fetch) for address, fetch in found if fetch)
        return replace(evidence, licences=known, html_is_target=page is not None)


def _answered(reached: Reached) -> tuple[Head | None, bytes | None]:
    """The response. None: robots.txt closed the way, so there is none.

    Raises:
        RemoteError: the address was allowed and did not answer.
    """
    if reached.answer is None and not reached.trouble:
        return None, None
    if not isinstance(reached.answer, Fetched):
        answer = reached.answer
        why = answer.reason.value if isinstance(answer, NotFetched) else reached.trouble or "the host rests"
        raise RemoteError(f"cannot fetch {printable(clean(reached.url))}: {why}; check the address or try again later")
    return reached.answer.head, reached.answer.body
