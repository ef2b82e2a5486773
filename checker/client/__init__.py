"""The HTTP API (docs/api.md) as one typed object: a method an endpoint, frozen values out, one kind of problem.

Client -> Asker (asks, waits where the server is busy, reads problems) -> checker.remote -> a server
          answers.py, reports.py: what an answer has to look like, before anybody believes a word of it
"""

from checker.client.client import Client

__all__ = ["Client"]
