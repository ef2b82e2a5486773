"""Loading the second code's model tells nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOAD = """
from checker.fingerprint.robust import RobustModel
from checker.settings import Settings
import numpy as np
model = RobustModel.of(Settings())
print("loaded" if model and model.codes([np.zeros((64, 64, 3), np.uint8)]) else "not installed")
"""


def test_onnxruntime_writes_no_id_of_this_machine_and_reports_nothing(tmp_path: Path) -> None:
    """Version 1.32 made `.ses`, a time and an id, in the temporary folder when it was imported."""
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env={**own, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("loaded", "not installed")
    assert list(tmp_path.iterdir()) == []
