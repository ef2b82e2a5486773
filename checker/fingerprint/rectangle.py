"""A part of a picture, in whole pixels of its view."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Left and top inclusive, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """In pixels."""
        return self.width * self.height

    def fractions(self, width: int, height: int) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 as shares of a picture of this size."""
        return self.left / width, self.top / height, self.right / width, self.bottom / height

    def moved(self, left: int, top: int) -> Rectangle:
        """The same rectangle, seen from a corner that lies this far up and to the left."""
        return Rectangle(self.left + left, self.top + top, self.right + left, self.bottom + top)

    def overlap(self, other: Rectangle) -> float:
        """Area in common by area of both together, 0 to 1."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        common = max(0, across) * max(0, down)
        return common / (self.area + other.area - common)
