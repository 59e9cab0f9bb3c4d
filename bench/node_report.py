# SPDX-License-Identifier: Apache-2.0
"""The table and the plot of the whole-node benchmark."""

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.report import _grid as grid

if TYPE_CHECKING:
    from bench.node import Cost

#: Guests, and each contestant's cost by its name.
Curve = Mapping[int, Mapping[str, "Cost"]]
STOCK, SERVED = "all stock", "all served"


def table(curve: Curve) -> str:
    """Return the table: ratios, then calls and milliseconds."""
    return "\n".join(
        [
            "A whole cycle: served in relation to all stock",
            *grid(
                ["guests", "wall", "CPU: agent", "libvirtd", "both", "calls", "stock's calls"],
                [[str(count), *_ratios(costs)] for count, costs in curve.items()],
            ),
            "",
            "Calls, and ms: wall, agent's CPU, libvirtd's CPU",
            *grid(
                ["guests", *next(iter(curve.values()))],
                [
                    [str(count), *(_cell(one) for one in costs.values())]
                    for count, costs in curve.items()
                ],
            ),
            "",
        ]
    )


def plot(curve: Curve, folder: pathlib.Path) -> None:
    """Plot wall time and the CPU time of both processes by guests, as node.svg and node.png."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("agg")
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench"})
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name in next(iter(curve.values())):
        costs = [found[name] for found in curve.values()]
        both = [one.agent + one.libvirtd for one in costs]
        for place, values in enumerate(([one.wall for one in costs], both)):
            axes[place].plot(list(curve), [1000 * v for v in values], marker="o", label=name)
    titles = ("wall time of a whole cycle", "CPU of agent and libvirtd")
    for part, title in zip(axes, titles, strict=True):
        part.set(title=title, xlabel="guests", ylabel="ms", xlim=0, ylim=0)
        part.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(folder / "node.svg", metadata={"Date": None})
    figure.savefig(folder / "node.png", dpi=100)
    pyplot.close(figure)


def _ratios(costs: Mapping[str, "Cost"]) -> list[str]:
    stock, served = costs[STOCK], costs[SERVED]
    pairs = (
        (served.wall, stock.wall),
        (served.agent, stock.agent),
        (served.libvirtd, stock.libvirtd),
        (served.agent + served.libvirtd, stock.agent + stock.libvirtd),
    )
    return [
        *(f"{ours / theirs:.2f}" for ours, theirs in pairs),
        str(served.calls),
        str(stock.calls),
    ]


def _cell(one: "Cost") -> str:
    return f"{one.calls}; {one.wall * 1000:.0f}, {one.agent * 1000:.1f}, {one.libvirtd * 1000:.1f}"
