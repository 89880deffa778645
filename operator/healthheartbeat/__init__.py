"""HealthHeartbeat: watches a fleet of trading bots, pages when one falls silent, restarts it within a budget."""

__version__ = "2.1.0"
