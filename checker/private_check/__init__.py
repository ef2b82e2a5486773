"""The private check from the asker's side: what is compared on this machine, and what is shown for it.

`asking` turns a photo into half codes and says which rows are near; `rows` gets them from a folder, a file or a server.
"""

from __future__ import annotations
