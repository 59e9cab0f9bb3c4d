# SPDX-License-Identifier: Apache-2.0
"""One host's libvirt: the only module that imports it.

Every call runs under a deadline. One that misses it is left behind together with
its connection, and the next call opens a new one.
"""

import contextlib
import dataclasses
import enum
import weakref
from collections.abc import Callable, Iterator
from typing import TypeVar

from ceilometer.compute.virt.libvirt import utils as libvirt_utils
from oslo_config import cfg

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    NoAnswerError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.reading import Stats, stats_of_bulk

T = TypeVar("T")

#: Shares of the timeout: for the bulk read, and for finding out, by connecting anew,
#: whether it was a guest or libvirtd itself that hangs; together a little less than it.
READ_SHARE = 0.7
CONNECT_SHARE = 0.25

BULK_STATS = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BALLOON
#: NOWAIT: a domain whose job is held is passed over instead of waited for.
BULK_FLAGS = (
    libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
    | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
)
HALTED = (
    libvirt.VIR_DOMAIN_PAUSED,
    libvirt.VIR_DOMAIN_CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED,
)
GONE_CODES = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
REFUSED_CODES = (libvirt.VIR_ERR_OPERATION_DENIED, libvirt.VIR_ERR_ACCESS_DENIED)
MONITOR_BROKEN = (
    libvirt.VIR_DOMAIN_CONTROL_ERROR,
    libvirt.VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR,
)
#: A domain held for longer than this, in seconds, will not be free in a moment; nor
#: one held for half of the timeout, so that a call just left behind is recognised.
LONG_HELD = 1.0


class Hold(enum.Enum):
    """What keeps a domain from being asked."""

    FREE = enum.auto()  #: nothing, or nothing that lasts
    JOB = enum.auto()  #: a long job
    QEMU = enum.auto()  #: a QEMU that does not answer


@dataclasses.dataclass(frozen=True)
class Record:
    """One running domain as a read found it.

    uuid: the instance's; id: libvirt's, another one at each boot; paused: its
    processors stand still; busy: another job held it, so that stats lack all
    that needs asking QEMU.
    """

    uuid: str
    id: int
    name: str
    paused: bool
    busy: bool
    stats: Stats

    @property
    def boot(self) -> tuple[str, int]:
        """Names one boot of one domain."""
        return self.uuid, self.id


class Connection:
    """A libvirt connection whose calls have deadlines; of no more use once one missed it.

    Close it after use: what is not closed stays open until the process ends.
    """

    def __init__(
        self, calls: Calls, connect: Callable[[], libvirt.virConnect], seconds: float
    ) -> None:
        """Connect. Raises NoAnswerError, libvirt.libvirtError."""
        self._calls = calls
        self._raw = calls.run(connect, seconds, _close)
        self._stuck = False
        weakref.finalize(self, _let_go, self._raw)

    @property
    def is_usable(self) -> bool:
        """Whether nothing is stuck on it and libvirtd still holds the other end."""
        try:
            return not self._stuck and self._raw.isAlive() == 1
        except libvirt.libvirtError:
            return False

    def ask(self, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
        """What the question returns or raises. Raises NoAnswerError past so many seconds."""
        try:
            return self._calls.run(
                lambda: question(self._raw), seconds, lambda result: _close(self._raw)
            )
        except (DeadlineError, KeyboardInterrupt):
            # Nobody waits for the call any more, but it is still on its way.
            self._stuck = True
            raise

    def ask_domain(
        self, record: Record, question: Callable[[libvirt.virDomain], T], seconds: float
    ) -> T:
        """Ask about one domain. Also raises DomainGoneError, WriteRefusedError, DomainError."""
        try:
            return self.ask(lambda raw: _of_domain(raw, record, question), seconds)
        except libvirt.libvirtError as error:
            raise _domain_error(error) from error

    def close(self, seconds: float) -> None:
        """Close it, unless a call is stuck on it, which does so when it returns."""
        if not self._stuck:
            with contextlib.suppress(NoAnswerError, libvirt.libvirtError):
                self._calls.run(self._raw.close, seconds)


class Host:
    """The libvirt that Ceilometer's options name, connected when first asked."""

    def __init__(self, uri: str, timeout: float, calls: Calls | None = None) -> None:
        """uri: libvirt's; timeout: seconds that one call may take."""
        self._uri = uri
        self._timeout = timeout
        self._calls = calls or Calls()
        self._reader: Connection | None = None
        # Without a handler libvirt prints each error to stderr as well as raising it.
        libvirt.registerErrorHandler(lambda context, error: None, None)

    def stop(self) -> None:
        """Wait for libvirt no more: what is asked from now on raises NoAnswerError."""
        self._calls.stop()

    def close(self) -> None:
        """Close the connection, as far as libvirt lets it be done in time."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close(self._timeout)

    def read(self) -> list[Record]:
        """All running domains with their statistics, in one call. Raises NoAnswerError."""
        patience = self._timeout
        while True:
            was_connected = self._reader is not None and self._reader.is_usable
            reader = self._connected(patience)
            try:
                return reader.ask(_read_all, self._timeout * READ_SHARE)
            except DeadlineError:
                # What is stuck now holds its guest's job, so that the next NOWAIT call
                # passes over that guest. No answer to connecting anew says that it is
                # libvirtd that is stuck.
                patience = self._timeout * CONNECT_SHARE
            except libvirt.libvirtError as error:
                # A connection lost between two cycles (libvirtd restarted) costs none.
                if reader.is_usable or not was_connected:
                    raise UnreachableError(_one_line(error)) from error

    def read_one(self, record: Record) -> Record:
        """The same domain, waited for while a short job holds it.

        This and the three below raise NoAnswerError, DomainGoneError, DomainError.
        """
        return self._ask_domain(record, lambda domain: _read_alone(domain, record))

    def live_xml(self, record: Record) -> str:
        """The domain's live XML."""
        return self._ask_domain(record, lambda domain: str(domain.XMLDesc(0)))

    def hold(self, record: Record) -> Hold:
        """What has held the domain for long."""
        long_held = min(LONG_HELD, self._timeout / 2)
        return self._ask_domain(record, lambda domain: _hold(domain, long_held))

    def has_job(self, record: Record) -> bool:
        """Whether a long job (migration, save, dump, backup) is under way."""
        return self._ask_domain(record, _has_job)

    @contextlib.contextmanager
    def writer(self) -> "Iterator[Writer]":
        """A read-write connection. Raises NoAnswerError, WriteRefusedError."""
        try:
            connection = Connection(self._calls, lambda: libvirt.open(self._uri), self._timeout)
        except libvirt.libvirtError as error:
            raise WriteRefusedError(f"{self._uri}: {_one_line(error)}") from error
        try:
            yield Writer(connection, self._timeout)
        finally:
            connection.close(self._timeout)

    def _ask_domain(self, record: Record, question: Callable[[libvirt.virDomain], T]) -> T:
        try:
            return self._connected(self._timeout).ask_domain(record, question, self._timeout)
        except WriteRefusedError as error:
            # Access control can keep one domain from being read, too.
            raise DomainError(str(error)) from error

    def _connected(self, seconds: float) -> Connection:
        if self._reader is None or not self._reader.is_usable:
            self.close()
            self._reader = self._connect(seconds)
        return self._reader

    def _connect(self, seconds: float) -> Connection:
        try:
            return Connection(self._calls, lambda: libvirt.openReadOnly(self._uri), seconds)
        except (NoAnswerError, libvirt.libvirtError) as error:
            raise UnreachableError(f"{self._uri}: {_one_line(error)}") from error


class Writer:
    """A read-write connection that does the one thing it was opened for."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout

    def set_period(self, record: Record, period: int) -> None:
        """Set the balloon's period, in seconds, live.

        Raises NoAnswerError, DomainGoneError, WriteRefusedError, DomainError.
        """
        self._connection.ask_domain(
            record,
            lambda domain: domain.setMemoryStatsPeriod(period, libvirt.VIR_DOMAIN_AFFECT_LIVE),
            self._timeout,
        )


def from_conf(conf: cfg.ConfigOpts) -> Host:
    """The host that Ceilometer's libvirt_uri and libvirt_type name."""
    uri = conf.libvirt_uri or libvirt_utils.LIBVIRT_PER_TYPE_URIS.get(
        conf.libvirt_type, "qemu:///system"
    )
    return Host(uri, conf.memballoon.libvirt_timeout)


def _close(connection: libvirt.virConnect | None) -> None:
    # One that died while a call was stuck on it cannot be closed any more.
    if connection is not None:
        with contextlib.suppress(libvirt.libvirtError):
            connection.close()


def _let_go(connection: libvirt.virConnect) -> None:
    # Otherwise virConnect.__del__ closes it, wherever it happens to be freed, and at
    # the process's end: closing asks libvirtd, and waits for one that hangs for ever.
    connection._o = None


def _read_all(connection: libvirt.virConnect) -> list[Record]:
    answers = connection.getAllDomainStats(BULK_STATS, BULK_FLAGS)
    records = (_bulk_record(domain, fields) for domain, fields in answers)
    return [record for record in records if record is not None]


def _bulk_record(domain: libvirt.virDomain, fields: dict[str, int]) -> Record | None:
    """None for a domain that ended before it could be asked on its own."""
    record = Record(
        uuid=domain.UUIDString(),
        id=domain.ID(),
        name=domain.name(),
        paused=fields.get("state.state") in HALTED,
        # Only a held job keeps the rss away: it needs no driver, not even a balloon.
        busy="balloon.rss" not in fields,
        stats=stats_of_bulk(fields),
    )
    if record.stats:
        return record
    # The driver's bulk call knows no balloon (libvirt's test driver, lxc, libxl).
    try:
        return _read_alone(domain, record)
    except libvirt.libvirtError as error:
        if error.get_error_code() in GONE_CODES:
            return None
        return dataclasses.replace(record, busy=False)


def _read_alone(domain: libvirt.virDomain, record: Record) -> Record:
    maximum = record.stats.get("maximum") or domain.maxMemory()
    stats = {**domain.memoryStats(), "maximum": maximum}
    return dataclasses.replace(record, busy=False, stats=stats)


def _of_domain(
    connection: libvirt.virConnect, record: Record, question: Callable[[libvirt.virDomain], T]
) -> T:
    """The question's answer. Raises DomainGoneError where that boot of the domain has ended."""
    domain = connection.lookupByUUIDString(record.uuid)
    try:
        if domain.ID() == record.id:
            return question(domain)
    except libvirt.libvirtError:
        # A domain that ends while it is asked fails with whatever QEMU's end broke.
        if connection.lookupByUUIDString(record.uuid).ID() == record.id:
            raise
    raise DomainGoneError("the domain has ended")


def _hold(domain: libvirt.virDomain, long_held: float) -> Hold:
    # Takes no job, so that it answers at once for a domain that is stuck, too.
    state, details, milliseconds = domain.controlInfo()
    if (state, details) == MONITOR_BROKEN:
        return Hold.QEMU
    # Between two monitor commands of a job the state is an 'internal' error as well
    # (qemuDomainGetControlInfo): with another client reading on and on, a usual sight.
    if milliseconds <= long_held * 1000:
        return Hold.FREE
    return Hold.QEMU if state == libvirt.VIR_DOMAIN_CONTROL_OCCUPIED else Hold.JOB


def _has_job(domain: libvirt.virDomain) -> bool:
    try:
        return bool(domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return False
        # At a migration's destination asking is an invalid operation: a job it is.
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            return True
        raise


def _domain_error(error: libvirt.libvirtError) -> Exception:
    code = error.get_error_code()
    kind = (
        DomainGoneError
        if code in GONE_CODES
        else WriteRefusedError
        if code in REFUSED_CODES
        else DomainError
    )
    return kind(_one_line(error))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
