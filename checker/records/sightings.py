"""Where pictures were seen, and which of them an opt-out is about.

A picture that was opted out before it was met is recorded without a code, so nothing could find it again for the person
who asked. The table `opted_out` names it to that opt-out: a number and a picture, written with the sighting, gone with
either of them. Pictures that have a code need no row; they are found by it.

A part of `interfaces.Store`, beside `code_reader.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from checker.model import Locator, Sighting, Source, parse_utc
from checker.records.code_reader import CodeReader


class SightingReader(CodeReader):
    """The part of the store that says where pictures were seen."""

    def sightings_of(self, image_ids: Sequence[int]) -> Mapping[int, tuple[Sighting, ...]]:
        """Sightings by image id, oldest first."""
        if not image_ids:
            return {}
        rows = self._rows(_SIGHTINGS, (json.dumps(list(image_ids)),))
        found: dict[int, list[Sighting]] = {}
        for image_id, *fields in rows:
            found.setdefault(image_id, []).append(_sighting(fields))
        return {image_id: tuple(sightings) for image_id, sightings in found.items()}

    def images_of_opt_out(self, number: str) -> tuple[int, ...]:
        """Pictures without a code that were recorded while this opt-out hid them, rising."""
        rows = self._rows("SELECT image_id FROM opted_out WHERE number = ? ORDER BY image_id", (number,))
        return tuple(image_id for (image_id,) in rows)

    def images_on(self, hosts: Collection[str]) -> dict[int, list[str]]:
        """The pictures that were seen on these hosts ("example.org:8443"), each with its addresses there.

        The address of a picture or of a page that showed it; http and https.
        """
        names = [f"{scheme}://{host}" for host in sorted(hosts) for scheme in ("http", "https")]
        found: dict[int, list[str]] = {}
        for image_id, url in self._rows(_IMAGES_ON, (json.dumps(names),)):
            found.setdefault(image_id, []).append(url)
        return found

    def hosts_of(self, image_ids: Sequence[int]) -> int:
        """On how many hosts these pictures were seen: of the page that showed them, else of the picture itself."""
        return int(self._rows(_HOSTS_OF, (json.dumps(list(image_ids)),))[0][0])

    def pages_that_show(self, image_url: str) -> tuple[str, ...]:
        """The pages that are known to show the picture at this address."""
        return tuple(url for (url,) in self._rows(_PAGES_THAT_SHOW, (image_url,)))


def link_opt_outs(db: Database, image_id: int | None, numbers: Iterable[str]) -> None:
    """Name a picture to the opt-outs that hide it, unless it has a code. Runs inside the caller's transaction."""
    for number in numbers:
        db.execute(_LINK, (number, image_id))


def unlink_opt_out(db: Database, number: str) -> None:
    """Forget which pictures an opt-out was about. Runs inside the caller's transaction."""
    db.execute("DELETE FROM opted_out WHERE number = ?", (number,))


_SIGHTINGS = """
SELECT sighting.image_id, image_url.url, page_url.url, caption, source.source_id, source.name, source.kind, locator,
       sighting.first_seen, sighting.last_seen, verdict.document, gone_since
FROM sighting
JOIN source ON source.source_id = sighting.source_id
LEFT JOIN url AS image_url ON image_url.url_id = sighting.image_url_id
LEFT JOIN url AS page_url ON page_url.url_id = sighting.page_url_id
LEFT JOIN verdict ON verdict.verdict_id = sighting.verdict_id
WHERE sighting.image_id IN (SELECT value FROM json_each(?))
ORDER BY sighting.first_seen, sighting.sighting_id
"""

_LINK = """
INSERT INTO opted_out (number, image_id) SELECT ?1, image_id FROM image
WHERE image_id = ?2 AND NOT EXISTS (SELECT 1 FROM code WHERE code.image_id = ?2) ON CONFLICT DO NOTHING
"""

_IMAGES_ON = """
WITH there AS (SELECT url_id, url FROM url JOIN host USING (host_id) WHERE name IN (SELECT value FROM json_each(?)))
SELECT image_id, url FROM sighting JOIN there ON url_id IN (image_url_id, page_url_id) ORDER BY image_id, url
"""

_HOSTS_OF = """
SELECT COUNT(DISTINCT SUBSTR(name, INSTR(name, '://') + 3)) FROM sighting
JOIN url ON url_id = CASE page_url_id WHEN 0 THEN image_url_id ELSE page_url_id END JOIN host USING (host_id)
WHERE image_id IN (SELECT value FROM json_each(?))
"""

_PAGES_THAT_SHOW = """
SELECT page.url FROM url AS image
JOIN embed ON image_url_id = image.url_id JOIN url AS page ON page.url_id = page_url_id
WHERE image.url = ? ORDER BY page_url_id
"""


def _sighting(fields: Sequence[Any]) -> Sighting:
    image_url, page_url, caption, source_id, name, kind, locator, first_seen, last_seen, verdict, gone_since = fields
    return Sighting(
        image_url=image_url,
        page_url=page_url,
        caption=caption,
        source=Source(id=str(source_id), name=name, kind=kind),
        locator=Locator(**json.loads(locator)) if locator else None,
        first_seen=parse_utc(first_seen),
        last_seen=parse_utc(last_seen),
        verdict=json.loads(verdict) if verdict else {},
        gone_since=parse_utc(gone_since) if gone_since else None,
    )
