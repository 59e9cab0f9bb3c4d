# SPDX-License-Identifier: Apache-2.0
"""Memory meters for Ceilometer from the guests' balloon statistics."""
