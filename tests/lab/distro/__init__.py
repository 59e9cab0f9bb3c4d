# SPDX-License-Identifier: Apache-2.0
"""Run the project's tests on another Debian release, in a root folder of that release.

:mod:`root` builds and keeps the folders, and :mod:`namespaces` runs commands in them.
:mod:`environment` installs Python packages for them. :mod:`parts` lists what is run, and
:mod:`run` runs it. ``python -m tests.lab.distro`` is the command.
"""
