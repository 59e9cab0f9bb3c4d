# SPDX-License-Identifier: Apache-2.0
"""What is kept of a domain's live XML."""

from ceilometer_memballoon.live_xml import live_xml

XML = """<domain><metadata/><devices>
<disk><source file="/a"/><target dev="vda"/></disk><disk><target/></disk><disk/>
</devices></domain>"""


def test_devices_without_a_target_are_left_out():
    assert [one.target for one in live_xml(XML, {}, 0.0).devices["block"]] == ["vda"]
