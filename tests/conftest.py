"""Every tier's tests find their clusters through the harness."""

pytest_plugins = ["harness.plugin"]
