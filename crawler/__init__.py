"""Reaches out: the only code that opens outbound connections.

    discover -> frontier (checker.records) -> robots -> fetch -> signals -> fingerprint -> record

`cli` holds the commands `hibs crawl` and `hibs ingest`; `remote` and `signals_fetch` are what checker's own commands
use when they are given an address.
"""
