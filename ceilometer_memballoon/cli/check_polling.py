# SPDX-License-Identifier: Apache-2.0
"""The checks of polling.yaml."""

from oslo_upgradecheck.upgradecheck import Code, Result

from ceilometer_memballoon import serving
from ceilometer_memballoon.cli.installation import PERIOD, Installation
from ceilometer_memballoon.errors import FileError
from ceilometer_memballoon.isolation import describe, find_shared_intervals
from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.polling_file import (
    duplicate_remedies,
    selects_by_name,
    stock_pollsters,
    wildcard_remedies,
)

ADD = (
    "Add memory_usage and memory_resident to the meters of a source, as in "
    "etc/ceilometer/polling.yaml"
)
#: A source with "*" cannot list further names, so the plugin's meters need their own source.
ADD_SOURCE = (
    "polling.yaml selects this plugin's pollsters only by a wildcard for other pollsters, "
    "so the agent does not load them. Add a source with the lines '- memory_usage' and "
    "'- memory_resident', as in etc/ceilometer/polling.yaml. Also {}."
)


def pollsters(installation: Installation) -> Result:
    """Check that polling.yaml selects the plugin's pollsters, and no stock ones beside them."""
    try:
        selected = installation.selected
    except FileError as error:
        return Result(Code.FAILURE, f"polling.yaml cannot be used: {error}.")
    if not selected:
        return _none_selected(installation)
    sources = installation.sources
    stock = stock_pollsters() & {meter.name for meter in selected}
    remedies = [remedy for name in sorted(stock) for remedy in duplicate_remedies(sources, name)]
    remedies += [r for meter in selected for r in wildcard_remedies(sources, meter.pollster)]
    if remedies:
        return Result(Code.WARNING, f"Samples are sent twice: in polling.yaml {_all(remedies)}.")
    names = ", ".join(sorted(meter.pollster for meter in selected))
    return Result(Code.SUCCESS, f"polling.yaml selects {names}.")


def _none_selected(installation: Installation) -> Result:
    sources = installation.sources
    remedies = [r for name in METERS for r in wildcard_remedies(sources, name)]
    if not remedies:
        return Result(Code.FAILURE, f"polling.yaml selects none of this plugin's pollsters. {ADD}.")
    for meter in ("memory.usage", "memory.resident"):
        remedies += duplicate_remedies(sources, meter)
    return Result(Code.FAILURE, ADD_SOURCE.format(_all(remedies)))


def interval(installation: Installation) -> Result:
    """Check that guests report something new before each poll."""
    period = installation.period
    for source in installation.sources:
        is_ours = any(selects_by_name(source, meter.pollster) for meter in installation.selected)
        if is_ours and source.get_interval() < period:
            return Result(
                Code.WARNING,
                f"Source {source.name} is polled every {source.get_interval()} s, but guests "
                f"report every {period} s, so the same numbers are sent again. Raise its "
                f"interval in polling.yaml, or lower [libvirt] {PERIOD}.",
            )
    return Result(Code.SUCCESS, "No source is polled more often than guests report.")


def isolation(installation: Installation) -> Result:
    """Check that stock pollsters cannot stop the plugin's pollsters."""
    if installation.conf.memballoon.serve_stock_meters:
        if serving.has_slot():
            return Result(Code.SUCCESS, "This plugin serves Ceilometer's own libvirt pollsters.")
        return Result(Code.WARNING, f"{serving.NO_SLOT}.")
    found = find_shared_intervals(installation.sources)
    if found:
        return Result(Code.WARNING, f"{describe(found)}.")
    return Result(
        Code.SUCCESS,
        "No libvirt pollster of Ceilometer shares an interval with the plugin's pollsters.",
    )


def _all(remedies: list[str]) -> str:
    return ", and ".join(dict.fromkeys(remedies))
