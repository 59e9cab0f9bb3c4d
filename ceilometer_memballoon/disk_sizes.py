# SPDX-License-Identifier: Apache-2.0
"""Sizes of disks from virDomainGetBlockInfo, asked only when they may have changed.

The bulk statistics cannot replace them. There, ``physical`` is the space that a file occupies.
In virDomainGetBlockInfo it can be the file's length (qemuDomainGetBlockInfo in libvirt's
qemu_driver.c).
"""

import time
from collections.abc import Callable, Iterable

from ceilometer_memballoon.errors import DomainError, DomainGoneError
from ceilometer_memballoon.record import Boot, Record
from ceilometer_memballoon.snapshot_domain import BlockInfo

#: Seconds after which a disk is asked again although its bulk statistics have not changed.
REFRESH_SECONDS = 600.0
#: Seconds after which a disk that was not asked is forgotten.
FORGET_SECONDS = 86400.0
#: The bulk statistics that change when the sizes change.
SIZES = ("path", "backingIndex", "capacity", "allocation", "physical")


class DiskSizes:
    """The sizes of the disks of all domains."""

    def __init__(
        self,
        read: Callable[[Record, str], BlockInfo],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """read: asks libvirt for one disk; raises NoAnswerError, DomainGoneError, DomainError."""
        self._read = read
        self._monotonic = monotonic
        self._kept: dict[str, dict[str, tuple[tuple[Boot, object], float, BlockInfo]]] = {}

    def get(self, record: Record, targets: Iterable[str]) -> dict[str, BlockInfo]:
        """Return sizes in bytes by target, without disks for which libvirt reports an error.

        record: a domain that was just read. Raises NoAnswerError.
        """
        if record.uuid not in self._kept:
            self._forget_departed()
        marks = _marks(record)
        kept = self._kept.get(record.uuid, {})
        found = {}
        for target in targets:
            mark = record.boot, marks.get(target)
            before = kept.get(target)
            if before is not None and before[0] == mark and self._is_young(before[1]):
                found[target] = before
                continue
            try:
                found[target] = mark, self._monotonic(), self._read(record, target)
            except (DomainGoneError, DomainError):
                continue
        self._kept[record.uuid] = found
        return {target: sizes for target, (_, _, sizes) in found.items()}

    def _forget_departed(self) -> None:
        limit = self._monotonic() - FORGET_SECONDS
        self._kept = {
            uuid: found
            for uuid, found in self._kept.items()
            if any(asked > limit for _, asked, _ in found.values())
        }

    def _is_young(self, asked: float) -> bool:
        return self._monotonic() - asked < REFRESH_SECONDS


def _marks(record: Record) -> dict[object, tuple[object, ...]]:
    fields = record.fields
    return {
        fields.get(f"block.{number}.name"): tuple(
            fields.get(f"block.{number}.{size}") for size in SIZES
        )
        for number in range(fields.get("block.count", 0))
    }
