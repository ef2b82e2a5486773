"""The wire models, and the only place that knows pydantic: what is read (requests), what is answered (told)."""
