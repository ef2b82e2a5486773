"""Honour one part of a dataset: rows in, decisions and a copy of what may be kept out.

    part -> rows with codes (checker.datasets) -> decided -> tally | decisions as Parquet | copies -> workplace -> DEST

1. Every row is decided: kept, dropped, for review, or not checked. Only what is kept goes over.
2. A part is read twice where it is copied: first to decide, then to copy. It must not change in between.
3. A part is done or it is not: files appear under their names when they are whole.
"""
