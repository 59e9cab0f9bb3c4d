# SPDX-License-Identifier: Apache-2.0
"""Run the benchmark: ``python -m bench [--guests 1,5,10] [--rounds N] [--into FOLDER]``."""

import argparse
import pathlib
import sys

from bench import report, simulated
from bench.contestants import (
    METERS_OF,
    PLUGIN,
    STOCK,
    Cost,
    calls,
    contestants,
    measure,
    measure_pair,
)
from bench.special import special_laps
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor, missing_packages

GUESTS = (1, 5, 10, 20, 40, 80)
#: The number of guests in the special cases.
MANY = 40
ROUNDS = 15
#: Further laps of the plugin and the floor, because they differ by less than single laps vary.
PAIR_ROUNDS = 100
SIMULATED = (100, 300, 1000, 2000)


def main() -> int:
    """Boot guests, measure and report. Return the exit status."""
    arguments = _arguments()
    if missing := missing_packages():
        print(f"The benchmark needs these packages: apt-get install {' '.join(missing)}")
        return 1
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--guests",
        type=lambda text: tuple(int(word) for word in text.split(",")),
        default=GUESTS,
        help="numbers of guests, ascending; 80 guests need about 15 GiB (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="laps of each contestant (default: %(default)s)"
    )
    parser.add_argument(
        "--pair-rounds", type=int, default=PAIR_ROUNDS,
        help="further laps of the plugin and the floor, for their slopes (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--into", type=pathlib.Path, default=pathlib.Path("bench-results"),
        help="folder for the table and the plots (default: %(default)s)",
    )  # fmt: skip
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> int:
    curve: dict[int, dict[str, Cost]] = {}
    rpcs: dict[int, dict[str, int]] = {}
    pairs: dict[int, dict[str, list[float]]] = {}
    special: dict[str, Cost] = {}
    with Hypervisor() as hypervisor:
        guests: list[Guest] = []
        for count in arguments.guests:
            _report(f"Booting up to {count} guests, then {arguments.rounds} rounds")
            _boot(hypervisor, guests, count)
            with contestants(hypervisor) as laps:
                curve[count] = measure(laps, arguments.rounds)
                pairs[count] = measure_pair(laps, arguments.pair_rounds)
            rpcs[count] = {n: calls(hypervisor, METERS_OF[n]) for n in (PLUGIN, STOCK)}
            if count == min(MANY, arguments.guests[-1]):
                _report("Special cases: a hung guest, guests to be enabled, threads")
                special = special_laps(hypervisor, guests)
    # Print the results so far, because the rest may be interrupted.
    print("\n".join(report.ratios(curve, rpcs)), flush=True)
    _report("Simulated: more guests than one machine can run")
    beyond = {count: simulated.measure(curve, count) for count in SIMULATED}
    memory = simulated.memory()
    text = report.table(curve, rpcs, pairs, special, beyond, memory)
    print(text)
    arguments.into.mkdir(parents=True, exist_ok=True)
    (arguments.into / "benchmark.txt").write_text(text)
    report.plot(curve, arguments.into)
    print(f"Table and plots are in {arguments.into}/")
    return 0


def _boot(hypervisor: Hypervisor, guests: list[Guest], count: int) -> None:
    # Boot two at a time, because more at once take longer in total.
    while len(guests) < count:
        batch = [
            Guest(hypervisor, f"instance-{len(guests) + number:08x}")
            for number in range(min(2, count - len(guests)))
        ]
        for guest in batch:
            guest.wait_until_up()
        guests += batch
        print(f"\r{len(guests)} of {count} guests are up", end="", flush=True)
    print()


def _report(text: str) -> None:
    print(f"{text} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main())
