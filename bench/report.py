# SPDX-License-Identifier: BSD-3-Clause
"""What was found, as a table for people."""

import itertools
import statistics

NAME_WIDTH = 28


def number(value):
    return f"{value:,.0f}".replace(",", " ")


def spread(values):
    """How far repeats lie apart, in percent of their median; nothing where there was but one."""
    middle = statistics.median(values)
    if len(values) < 2 or middle == 0:
        return ""
    return f"±{100 * (max(values) - min(values)) / 2 / middle:.0f} %"


def ratio_of(samples):
    """The median of the repeats' own ratios: the two measurements of a repeat follow each other closely, so what
    disturbs this machine disturbs both."""
    ratios = [ours / theirs for ours, theirs in zip(samples["posternd"], samples["coturn"]) if theirs > 0]
    return statistics.median(ratios) if ratios else 0.0


def lines(results):
    """|results|: (cell, {server name: [figure, ...]}) in the order of the cells."""
    for group, rows in itertools.groupby(results, key=lambda result: result[0].group):
        yield ""
        yield group
        yield f"  {'':{NAME_WIDTH}}{'posternd':>12}{'':8}{'coturn':>12}{'':8}{'ratio':>8}"
        for cell, samples in rows:
            ours, theirs = samples["posternd"], samples["coturn"]
            ratio = ratio_of(samples)
            verdict = "" if cell.reached(ratio) else f"  goal: {cell.goal:g}"
            yield (
                f"  {cell.name:{NAME_WIDTH}}{number(statistics.median(ours)):>12} {spread(ours):<7}"
                f"{number(statistics.median(theirs)):>12} {spread(theirs):<7}{ratio:>8.2f}{verdict}"
            )
