"""What the image is made of: a lock with hashes, and a bill of materials that leaves nothing of it out."""

import json
import re
import subprocess
from pathlib import Path

from harness.paths import PROJECT

LOCK = PROJECT / "requirements/runtime.txt"


def locked() -> dict[str, str]:
    """Name and version of all that the lock installs."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK.read_text(), re.MULTILINE))


def test_everything_in_the_lock_is_pinned_by_version_and_hash() -> None:
    entries = [entry for entry in re.split(r"\n(?=\S)", LOCK.read_text()) if not entry.startswith("#")]
    assert len(entries) == len(locked()) > 30
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_bill_of_materials_holds_every_runtime_dependency_with_its_hashes(tmp_path: Path) -> None:
    file = tmp_path / "dist" / "sbom.json"
    subprocess.run([PROJECT / "scripts/sbom", LOCK, file], check=True, timeout=60, capture_output=True)
    bill = json.loads(file.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "healthheartbeat"
    assert {part["name"]: part["version"] for part in bill["components"]} == locked()
    unhashed = [part["name"] for part in bill["components"] if not part["externalReferences"][0].get("hashes")]
    assert unhashed == []


def test_a_bill_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    lock = tmp_path / "none.txt"
    done = subprocess.run(
        [PROJECT / "scripts/sbom", lock, tmp_path / "sbom.json"],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert str(lock) in done.stderr
