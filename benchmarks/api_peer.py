"""The smallest service that answers near matches: FAISS behind FastAPI. The peer of `benchmarks/api.py`.

Run by it, as `uvicorn --factory api_peer:create_app`, with CODES naming a .npy file of (n, 32) uint8. The index is the
one that ThreatExchange's PDQ index builds (`faiss_utils.py`: IndexBinaryMultiHash of 16 maps of 16 bits, one flip),
which the Hasher-Matcher-Actioner serves. It asks one orientation where ours asks eight, weighs nothing, knows no
sightings and no opt-outs, and reads no database.
"""

from __future__ import annotations

import os

import faiss
import numpy as np
from fastapi import FastAPI, Request

DISTANCE_BITS_MAX = 31


def create_app() -> FastAPI:
    """Build the index in memory, then answer `POST /v1/lookups` with ids and distances."""
    codes = np.load(os.environ["CODES"])
    index = faiss.IndexBinaryMultiHash(codes.shape[1] * 8, 16, 16)
    index.add(codes)
    index.nflip = 1
    faiss.omp_set_num_threads(1)
    app = FastAPI()

    @app.post("/v1/lookups")
    async def look_up(request: Request) -> list[list[int]]:
        body = await request.json()
        asked = np.frombuffer(bytes.fromhex(body["codes"]["phash256"]["hex"]), dtype=np.uint8).reshape(1, -1)
        _, distances, ids = index.range_search(asked, DISTANCE_BITS_MAX + 1)
        return [[int(one), int(bits)] for one, bits in zip(ids, distances, strict=True)]

    return app
