"""Where an OperationsReport goes that every process keeps: one log line, and the last hundred in memory."""

from collections import deque
from typing import Any

import structlog

from healthheartbeat.adapters.log_values import Ready
from healthheartbeat.api.reasons import ReasonCode
from healthheartbeat.api.report import OperationsReport

KEPT = 100


class Reports:
    """The last hundred reports of this process, newest last, as on the wire."""

    def __init__(self) -> None:
        self.kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._log = structlog.get_logger("healthheartbeat")

    def __call__(self, report: OperationsReport) -> None:
        """Log `report` and keep it."""
        content = report.to_dict()
        self.kept.append(content)
        self._log.info(ReasonCode.SWEEP_COMPLETE, healthheartbeat=report.healthheartbeat, report=Ready(content))
