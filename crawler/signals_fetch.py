"""Fetches what `hibs signals --url` reads: robots.txt and the other files of the host, the address itself where
robots.txt allows, the licences that any of them points at, and the answers of the registries that were named.

The same guard, pace and name as in a crawl; nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from checker.console import printable, say
from checker.errors import RemoteError
from checker.settings import Settings
from checker.signals.read import Evidence, RobotsFetch, licences_of
from crawler.addresses import join, storable
from crawler.discover import ascii_readable
from crawler.evidence import as_fetch, evidence_of
from crawler.fetch import Ask, Fetched, Head, HttpFetcher, NotFetched
from crawler.guard import Guard
from crawler.media import is_page, is_picture
from crawler.plan import make_plan
from crawler.registries import ChosenRegistry, ask_registries, choose_registries, read_registry_keys
from crawler.settings import AGENT_TOKEN, CrawlSettings
from crawler.sites import Reached, Sites, is_unreachable
from crawler.turns import Clock, Turns


def fetch_evidence(
    url: str,
    *,
    contact: str,
    allow_addresses: Sequence[str],
    registries: Sequence[str] = (),
    registry_keys: Path | None = None,
) -> Evidence:
    """Fetch what the publisher says about `url`.

    Args:
        contact: e-mail address or page of whoever asks; needed for every address beyond this machine.
        allow_addresses: "HOST:PORT" of local addresses to open.
        registries: "NAME" or "NAME=ADDRESS" of those to ask; empty: none is asked.
        registry_keys: file of their keys.

    Returns:
        What was looked at. Where robots.txt closes the way, only that.

    Raises:
        InputError: no http(s) address, no contact, or a registry that cannot be asked.
        RemoteError: the address was allowed and did not answer.
    """
    keys = read_registry_keys(registry_keys) if registries and registry_keys else {}
    chosen = choose_registries(registries, keys=keys)
    services = (one.address for one in chosen)
    plan = make_plan((url, *services), settings=CrawlSettings(contact=contact), opened=allow_addresses)
    settings = replace(plan.settings, delay_local_s=0.0)
    address = join(url, "") or url  # with the signed parts of its query: nothing is stored here
    return asyncio.run(_fetch_all(address, settings, plan.guard, chosen))


async def _fetch_all(url: str, settings: CrawlSettings, guard: Guard, chosen: Sequence[ChosenRegistry]) -> Evidence:
    clock = Clock()
    async with HttpFetcher(settings, guard) as fetcher:
        turns = Turns(fetcher, settings, guard, clock, asyncio.Event())
        evidence = await _fetch(url, Sites(turns, settings, clock))
        # An entry may name the address that was asked about or the one it redirects to; a refusal of either counts.
        said = await ask_registries((url, evidence.url), chosen, turns=turns, tell=say)
        return replace(evidence, registries=tuple(finding for findings in said.values() for finding in findings))


async def _fetch(url: str, sites: Sites) -> Evidence:
    def ask(hop: str, _: RobotsFetch) -> Ask:
        return Ask(
            hop, bytes_max=Settings().picture_bytes_max, wants_body=lambda head: is_page(head) or is_picture(head)
        )

    reached = await sites.reach(url, ask)
    if is_unreachable(reached.robots):
        return evidence_of(reached.url, reached.robots, None)
    head, body = _answered(reached)
    files = await sites.files(reached.url)
    page = ascii_readable(body, head.get("Content-Type")) if head and body is not None and is_page(head) else None
    evidence = evidence_of(
        reached.url, reached.robots, head, files=files, html=page, image=body if page is None else None
    )
    licences = {one.url: await sites.small_file(one.url) for one in licences_of(evidence, agent=AGENT_TOKEN) if one.url}
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
        raise RemoteError(
            f"cannot fetch {printable(storable(reached.url))}: {why}; check the address or try again later"
        )
    return reached.answer.head, reached.answer.body
