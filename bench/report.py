# SPDX-License-Identifier: Apache-2.0
"""The benchmark's table and plots."""

import pathlib
import random
import statistics
from collections.abc import Callable, Iterable

from bench.contestants import (
    ALL_METERS,
    C_FLOOR,
    DISCOVERY,
    FLOOR,
    PLUGIN,
    STOCK,
    Cost,
    line,
    line_through,
)

Curve = dict[int, dict[str, Cost]]
Pairs = dict[int, dict[str, list[float]]]
#: The number of resamples of the bootstrap.
RESAMPLES, SEED = 1000, 1
NAMES = (PLUGIN, ALL_METERS, STOCK, FLOOR, C_FLOOR)


def table(
    curve: Curve,
    rpcs: dict[int, dict[str, int]],
    pairs: Pairs,
    special: dict[str, Cost],
    beyond: dict[int, dict[str, float]],
    memory: dict[str, float],
) -> str:
    """Return all figures as text: ratios, then milliseconds."""
    return "\n".join(
        [
            "Ratios of one polling cycle without discovery, medians",
            *ratios(curve, rpcs),
            "",
            "Milliseconds: wall (middle half), agent's CPU, libvirtd's CPU",
            *_grid(["guests", *NAMES], (_times(n, costs) for n, costs in curve.items())),
            "",
            "Slope: ms of wall time that one more guest takes (line through all of the above)",
            *_grid([*NAMES, "plugin / floor"], [_slopes(curve)]),
            *_pair_line(pairs),
            "",
            "Whole cycle of the agent in ms, discovery and sending included: wall, agent's CPU",
            *_grid(
                ["guests", *NAMES[:3], "agent CPU: plugin / stock"],
                (_wholes(n, costs) for n, costs in curve.items()),
            ),
            "",
            "Other cycles in ms (wall, agent's CPU)",
            *_grid(["cycle", "ms"], ([name, _pair(one)] for name, one in special.items())),
            "",
            "SIMULATED connection, ms; stock is the line through its real curve",
            *_grid(["domains", PLUGIN, ALL_METERS, STOCK, FLOOR, "plugin / floor"],
                   (_beyond(n, found) for n, found in beyond.items())),
            "",
            f"Memory: the plugin adds {memory['plugin']:.1f} MiB to an agent of "
            f"{memory['agent']:.0f} MiB",
            "",
        ]
    )  # fmt: skip


def ratios(curve: Curve, rpcs: dict[int, dict[str, int]]) -> list[str]:
    """Return the lines of the first table."""
    return _grid(_ratio_head(), (_ratios(n, costs, rpcs[n]) for n, costs in curve.items()))


def plot(curve: Curve, folder: pathlib.Path) -> None:
    """Plot wall time and the agent's CPU time by guests, as benchmark.svg and benchmark.png."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("agg")
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench"})
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name in NAMES:
        counts = list(curve)
        costs = [curve[count][name] for count in counts]
        left.plot(counts, [one.wall * 1000 for one in costs], marker="o", label=name)
        left.fill_between(
            counts, [one.low * 1000 for one in costs], [one.high * 1000 for one in costs], alpha=0.2
        )
        right.plot(counts, [one.agent * 1000 for one in costs], marker="o", label=name)
    for axes, title in ((left, "wall time of one cycle"), (right, "CPU of the reader")):
        axes.set(title=title, xlabel="guests", ylabel="ms", xlim=0, ylim=0)
        axes.grid(alpha=0.3)
    left.legend()
    figure.savefig(folder / "benchmark.svg", metadata={"Date": None})
    figure.savefig(folder / "benchmark.png", dpi=100)
    pyplot.close(figure)


def _ratio_head() -> list[str]:
    return [
        "guests", "wall: plugin / stock", "plugin / floor", "all meters / floor",
        "agent CPU: plugin / stock", "RPCs: plugin", "stock",
    ]  # fmt: skip


def _ratios(count: int, costs: dict[str, Cost], rpcs: dict[str, int]) -> list[str]:
    plugin, stock, floor = costs[PLUGIN], costs[STOCK], costs[FLOOR]
    return [
        str(count),
        f"{plugin.wall / stock.wall:.2f}",
        f"{plugin.wall / floor.wall:.2f}",
        f"{costs[ALL_METERS].wall / floor.wall:.2f}",
        f"{plugin.agent / stock.agent:.2f}",
        str(rpcs[PLUGIN]),
        str(rpcs[STOCK]),
    ]


def _times(count: int, costs: dict[str, Cost]) -> list[str]:
    discovery = costs[DISCOVERY].libvirtd
    cells = []
    for name in NAMES:
        one = costs[name]
        # The agent also runs its discovery in that cycle. Subtract libvirtd's time for it.
        libvirtd = max(0.0, one.libvirtd - (0 if name in (FLOOR, C_FLOOR) else discovery))
        cells.append(
            f"{one.wall * 1000:.1f} ({one.low * 1000:.1f}-{one.high * 1000:.1f}), "
            f"{one.agent * 1000:.1f}, {libvirtd * 1000:.1f}"
        )
    return [str(count), *cells]


def _slopes(curve: Curve) -> list[str]:
    slopes = {name: line(curve, name)[0] for name in NAMES}
    return [*(f"{slopes[n] * 1000:.2f}" for n in NAMES), f"{slopes[PLUGIN] / slopes[FLOOR]:.2f}"]


def _pair_line(pairs: Pairs) -> list[str]:
    """Return the ratio of the two slopes and its 95 % interval (bootstrap), as lines."""
    ratio = _slope_ratio(pairs, lambda walls: walls)
    chance = random.Random(SEED)
    again = [
        _slope_ratio(pairs, lambda walls: chance.choices(walls, k=len(walls)))
        for _ in range(RESAMPLES)
    ]
    low, *_, high = statistics.quantiles(again, n=40)
    rounds = max(len(walls) for found in pairs.values() for walls in found.values())
    return [
        f"plugin / floor in {rounds} further laps of these two alone: {ratio:.3f} "
        f"(95 % interval {low:.3f} to {high:.3f})"
    ]


def _slope_ratio(pairs: Pairs, pick: Callable[[list[float]], list[float]]) -> float:
    plugin, floor = (
        line_through({n: statistics.median(pick(found[name])) for n, found in pairs.items()})[0]
        for name in (PLUGIN, FLOOR)
    )
    return plugin / floor


def _wholes(count: int, costs: dict[str, Cost]) -> list[str]:
    cells = [
        f"{costs[name].whole * 1000:.0f}, {costs[name].whole_agent * 1000:.1f}"
        for name in NAMES[:3]
    ]
    return [str(count), *cells, f"{costs[PLUGIN].whole_agent / costs[STOCK].whole_agent:.2f}"]


def _pair(one: Cost) -> str:
    return f"{one.wall * 1000:.0f}, {one.agent * 1000:.1f}"


def _beyond(count: int, found: dict[str, float]) -> list[str]:
    names = (PLUGIN, ALL_METERS, STOCK, FLOOR)
    ratio = found[PLUGIN] / found[FLOOR]
    return [str(count), *(f"{found[name] * 1000:.0f}" for name in names), f"{ratio:.2f}"]


def _grid(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Return a simple table in reStructuredText."""
    cells = [head, *rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return [rule, lines[0], rule, *lines[1:], rule]
