"""Fetches what `hibs signals --url` reads: robots.txt, tdmrep.json, and the address itself where robots.txt allows.

The same guard, pace and name as in a crawl; nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from checker.console import printable
from checker.errors import RemoteError
from checker.signals.read import Evidence, RobotsFetch
from crawler.addresses import clean, join
from crawler.fetch import Ask, Fetched, HttpFetcher, NotFetched
from crawler.guard import Guard
from crawler.plan import make_plan
from crawler.settings import CrawlSettings
from crawler.sites import Reached, Sites, is_unreachable
from crawler.turns import Clock, Turns
from crawler.visit import is_page


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
    reached, tdmrep = asyncio.run(_fetch(address, settings, plan.guard))
    if reached.answer is None and not reached.trouble:
        return Evidence(url=reached.url, robots=reached.robots, tdmrep=tdmrep)
    if not isinstance(reached.answer, Fetched):
        answer = reached.answer
        why = answer.reason.value if isinstance(answer, NotFetched) else reached.trouble or "the host rests"
        raise RemoteError(f"cannot fetch {printable(clean(reached.url))}: {why}; check the address or try again later")
    head, body = reached.answer.head, reached.answer.body
    return Evidence(
        url=reached.url,
        robots=reached.robots,
        tdmrep=tdmrep,
        status=head.status,
        headers=head.headers,
        html=body,
        html_is_target=body is not None,
    )


async def _fetch(url: str, settings: CrawlSettings, guard: Guard) -> tuple[Reached, RobotsFetch | None]:
    clock = Clock()

    def ask(hop: str, _: RobotsFetch) -> Ask:
        return Ask(hop, bytes_max=settings.page_bytes_max, wants_body=is_page)

    async with HttpFetcher(settings, guard) as fetcher:
        sites = Sites(Turns(fetcher, settings, guard, clock, asyncio.Event()), settings, clock)
        reached = await sites.reach(url, ask)
        if is_unreachable(reached.robots):
            return reached, None
        return reached, await sites.tdmrep(reached.url)
