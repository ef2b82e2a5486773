// A part of a picture in whole pixels of its view; checker/fingerprint/rectangle.py.

/** Left and top inclusive, right and bottom exclusive. */
export class Rectangle {
  constructor(left, top, right, bottom) {
    Object.assign(this, { left, top, right, bottom, width: right - left, height: bottom - top });
    this.area = this.width * this.height;
  }

  /** x0, y0, x1, y1 as shares of a picture of this size. */
  fractions(width, height) {
    return [this.left / width, this.top / height, this.right / width, this.bottom / height];
  }

  equals(other) {
    return this.overlap(other) === 1;
  }

  /** Area in common by area of both together, 0 to 1. */
  overlap(other) {
    const across = Math.min(this.right, other.right) - Math.max(this.left, other.left);
    const down = Math.min(this.bottom, other.bottom) - Math.max(this.top, other.top);
    const common = Math.max(0, across) * Math.max(0, down);
    return common / (this.area + other.area - common);
  }
}
