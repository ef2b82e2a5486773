"""`python -m crawler URL... --data DIR`: the crawler on its own, with the options of `hibs crawl`."""

from __future__ import annotations

import typer

from crawler.cli import crawl


def main() -> None:
    """Run the command."""
    typer.run(crawl)


if __name__ == "__main__":
    main()
