"""Keep what was measured: Flower writes no file by itself."""

import json
from collections.abc import Mapping
from pathlib import Path

from flwr.app import MetricRecord


def save_curve(output: str, metrics: Mapping[int, MetricRecord]) -> None:
    """Write the accuracy after each round to ``output``; an empty name writes nothing."""
    curve = {round_: record["accuracy"] for round_, record in metrics.items()}
    for round_, accuracy in curve.items():
        print(f"accuracy after round {round_}: {accuracy:.3f}")
    if output:
        Path(output).write_text(json.dumps(curve), encoding="utf-8")
