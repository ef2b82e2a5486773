"""What people asked, the log that proves it, and who heeds it.

entry.py tree.py note.py canonical.py tokens.py are pure; log.py and request.py write registry.db through
checker.records.registry; receipt.py proves offline. The formats are in docs/feed.md.
"""
