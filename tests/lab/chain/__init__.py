# SPDX-License-Identifier: Apache-2.0
"""The services behind the agent: a real broker, real stores and real alarms."""
