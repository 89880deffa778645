"""Render the dashboards into a folder: PYTHONPATH=scripts python -m dashboards FOLDER."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.liveness import liveness
from dashboards.restarts import restarts

folder = Path(sys.argv[1])
for dashboard in (liveness(), restarts()):
    text = json.dumps(dashboard, cls=JSONEncoder, indent=2, ensure_ascii=False)
    (folder / f"{dashboard['uid']}.json").write_text(text + "\n")
