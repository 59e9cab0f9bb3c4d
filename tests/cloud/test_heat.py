# SPDX-License-Identifier: Apache-2.0
"""Heat's autoscaling by memory, as a plain member: it adds a server under load and removes it."""

import pytest

from tests.cloud.autoscaling import SIZES, TEMPLATES
from tests.cloud.background import JOIN_SECONDS


@pytest.mark.timeout(JOIN_SECONDS + 60)
@pytest.mark.parametrize("name", TEMPLATES)
def test_stack_grows_under_load_and_shrinks_again(autoscaling, name):
    autoscaling[name].wait()
    assert autoscaling[name].sizes == SIZES
