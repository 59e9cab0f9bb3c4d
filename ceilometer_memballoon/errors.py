# SPDX-License-Identifier: Apache-2.0
"""The plugin's exceptions. Each message is one line that a log or a terminal can show."""


class MemballoonError(Exception):
    """Base class of all exceptions that this plugin raises."""


class NoAnswerError(MemballoonError):
    """libvirt gave no answer. The message says why."""


class DeadlineError(NoAnswerError):
    """A call did not return in time. Its thread goes on waiting for it."""


class TooManyStuckCallsError(NoAnswerError):
    """The limit of stuck calls is reached, so the call was not made."""


class StoppedError(DeadlineError):
    """The process is ending and waits for no call any more."""


class UnreachableError(NoAnswerError):
    """No connection to libvirt can be opened, or the open one broke."""


class WriteRefusedError(MemballoonError):
    """libvirt denies this process the right to write."""


class DomainGoneError(MemballoonError):
    """The domain does not run on this host any more."""


class DomainError(MemballoonError):
    """libvirt failed at this one domain."""


class CommandError(MemballoonError):
    """The command cannot do what it was asked. The message names the remedy."""


class ConfigurationError(CommandError):
    """The agent's configuration cannot be read."""


class FileError(MemballoonError):
    """A file of Ceilometer's cannot be used. The message names the file and the fault."""


class NotAskedForError(MemballoonError):
    """polling.yaml does not name this pollster, so the agent is not to load it."""


class NotCheckedError(MemballoonError):
    """A check needs what another check has failed to find out."""
