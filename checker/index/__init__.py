"""Near-match search over all codes of a data folder: exact, always as fresh as the database, never the only copy.

    corpus.db --build--> segments (immutable files, mapped read-only) --.
        |                                                               +-- search --> hits, joined to the store
        '------------- tail (codes newer than the last segment) --------'

Rules, in the order in which they matter:
1. The store is the truth. A segment that is missing, damaged or foreign is named and answered for by the store.
2. An answer equals a scan of all codes that are committed, at any moment, while segments are built or replaced.
3. Files are only ever added and replaced as a whole; what is in use stays mapped until its last reader is done.
4. Inside of this package every code lies in the order of `bits.permuted`: it makes pieces of codes independent.
"""
