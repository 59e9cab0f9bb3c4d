# SPDX-License-Identifier: Apache-2.0
"""Scenarios: what a user of the cloud does, from the start to the end."""
