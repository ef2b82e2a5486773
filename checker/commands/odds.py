"""How likely a coincidence is, as people say it: "below 1 in 1,000,000". For the command and for the pages."""

from __future__ import annotations

ONE_IN_MAX = 1_000_000
"""Nobody can picture more, and the model behind the figure is not to be trusted further out."""


def one_in(expected: float) -> int | None:
    """The largest round N for which "below 1 in N" is so.

    Args:
        expected: how many unrelated pictures chance would bring this near (`Match.expected_chance_matches`).
    Returns:
        One digit and zeros, 2 to `ONE_IN_MAX`. None: a coincidence is as good an explanation as a copy.

    >>> one_in(2e-31), one_in(0.0004), one_in(0.7)
    (1000000, 2000, None)
    """
    if expected <= 1 / ONE_IN_MAX:
        return ONE_IN_MAX
    whole = int(1 / expected)
    power = 10 ** (len(str(whole)) - 1)
    return whole // power * power if whole >= 2 else None
