// SPDX-License-Identifier: BSD-3-Clause
// The last seconds of a figure, as a line without axes: its shape is what is looked at, the figure stands beside it.

const POINTS = 40;
const WIDTH = 120;
const HEIGHT = 28;
const MARGIN = 2;

export class Sparkline {
  #values = [];
  #line;
  #atLeast;

  // |atLeast| is the top of the scale while all values are below it.
  constructor(svg, atLeast) {
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    this.#line = document.createElementNS(svg.namespaceURI, 'polyline');
    svg.replaceChildren(this.#line);
    this.#atLeast = atLeast;
  }

  // |value| may be null: nothing is known of this second.
  add(value) {
    this.#values = [...this.#values, value].slice(-POINTS);
    const known = this.#values.map((each, at) => [each, at]).filter(([each]) => each !== null);
    const top = Math.max(this.#atLeast, ...known.map(([each]) => each));
    const place = ([each, at]) => {
      const x = (at / (POINTS - 1)) * WIDTH;
      const y = HEIGHT - MARGIN - (each / top) * (HEIGHT - 2 * MARGIN);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    };
    this.#line.setAttribute('points', known.map(place).join(' '));
  }

  clear() {
    this.#values = [];
    this.#line.setAttribute('points', '');
  }
}
