"""The two Grafana dashboards of section 15 as code: docs/dashboards.md says what they show."""
