"""ANSWERS: lookup, opt-out and feed over HTTP, and the pages. Knows HTTP and checker, nothing else.

cli -> server -> app -> routes -> deps -> schemas | limits | guards | pages -> answers | problems -> words
"""
