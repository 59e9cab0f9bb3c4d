# SPDX-License-Identifier: Apache-2.0
"""The command's check of the installation, on libvirt's test driver."""

import yaml


def details(done):
    """The check's table as one line of text."""
    return " ".join(done.stdout.replace("|", " ").split())


def test_sound_installation_passes(run, installed):
    done = run(installed("memory_usage", "memory_resident"), "check")
    assert done.returncode == 0
    assert "polling.yaml selects memory_resident, memory_usage." in details(done)


def test_unreachable_libvirt_fails(run, installed):
    done = run(installed("memory_usage", uri="test:///no/such/file.xml"), "check")
    assert done.returncode == 2
    assert "Start libvirtd" in details(done)


def test_stock_pollster_beside_ours_is_a_warning_with_the_line(run, installed):
    done = run(installed("memory_usage", "memory.usage"), "check")
    assert done.returncode == 1
    assert "remove the line '- memory.usage' from source all" in details(done)


def test_polling_without_our_pollsters_fails(run, installed):
    done = run(installed("cpu"), "check")
    assert done.returncode == 2
    assert "Add memory_usage and memory_resident" in details(done)


def test_polling_yaml_that_ceilometer_refuses_fails(run, installed):
    done = run(installed("memory_usage", "!cpu"), "check")
    assert done.returncode == 2
    assert "polling.yaml cannot be used" in details(done)


def test_interval_below_the_period_is_a_warning(run, installed):
    done = run(installed("memory_usage", interval=5), "check")
    assert done.returncode == 1
    assert "polled each 5 s, but guests report each 10 s" in details(done)


def test_period_and_its_origin_are_told(run, installed, tmp_path):
    lines = "[libvirt]\nmem_stats_period_seconds = 0\n"
    done = run(installed("memory_usage", lines=lines), "check")
    assert done.returncode == 1
    assert f"is0,by{tmp_path}/ceilometer.conf" in details(done).replace(" ", "")


def test_meter_that_gnocchi_would_drop_is_a_warning(run, installed, tmp_path):
    config = installed("memory_usage", "memory_stats_age")
    (tmp_path / "pipeline.yaml").write_text(
        yaml.safe_dump({"sinks": [{"publishers": ["gnocchi://?archive_policy=low"]}]})
    )
    done = run(config, "check")
    assert done.returncode == 1
    assert "would drop memory.stats.age" in details(done)


def test_own_definitions_of_gnocchis_publisher_are_the_ones_looked_at(run, installed, tmp_path):
    config = installed("memory_stats_age")
    own = tmp_path / "own.yaml"
    own.write_text("resources: [{resource_type: instance, metrics: {memory.stats.age: }}]\n")
    (tmp_path / "pipeline.yaml").write_text(
        yaml.safe_dump({"sinks": [{"publishers": [f"gnocchi://?resources_definition_file={own}"]}]})
    )
    assert run(config, "check").returncode == 0
