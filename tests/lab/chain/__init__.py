# SPDX-License-Identifier: Apache-2.0
"""The services behind the agent, each a real one: broker, stores, alarms."""
