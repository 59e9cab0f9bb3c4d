# SPDX-License-Identifier: Apache-2.0
"""The plugin's exceptions. Each message is one line for a log or a terminal."""

from typing import Self


class MemballoonError(Exception):
    """Base class of all exceptions that this plugin raises."""

    def without_traceback(self) -> Self:
        """Return an equal error that can be kept.

        The frames of a traceback keep libvirt's objects. Freeing those later can ask libvirtd,
        without a deadline.
        """
        return type(self)(*self.args)


class NoAnswerError(MemballoonError):
    """libvirt gave no answer. The message says why."""


class DeadlineError(NoAnswerError):
    """A call did not return in time. Its thread still waits for it."""


class TooManyStuckCallsError(NoAnswerError):
    """The limit of stuck calls is reached, so the call was not made."""


class StoppedError(DeadlineError):
    """The process is ending and waits for no further call."""


class UnreachableError(NoAnswerError):
    """A connection to libvirt cannot be opened, or the open one broke."""


class WriteRefusedError(MemballoonError):
    """libvirt does not allow this process to write."""


class DomainGoneError(MemballoonError):
    """The domain no longer runs on this host."""


class DomainError(MemballoonError):
    """libvirt failed for this one domain."""


class CommandError(MemballoonError):
    """The command cannot do what it was asked to do. The message names the remedy."""


class ConfigurationError(CommandError):
    """The agent's configuration cannot be read."""


class FileError(MemballoonError):
    """One of Ceilometer's files cannot be used. The message names the file and the fault."""


class NotSelectedError(MemballoonError):
    """polling.yaml does not name this pollster, so the agent must not load it."""


class NotCheckedError(MemballoonError):
    """A check needs a value that another check could not find."""
