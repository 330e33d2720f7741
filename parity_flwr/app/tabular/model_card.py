"""``model/README.md``: what the model is, how good it was, and how to load it."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.tabular.fitted import FittedModel, Kind

_HERE = """```python
from pathlib import Path
from parity_flwr.app.tabular.model_folder import open_model

model = open_model(Path("."))
for values in model.predict_file(Path("new.csv")):
    print(values)
```
"""

_LINEAR = """```python
from safetensors.numpy import load_file

arrays = load_file("model.safetensors")
scores = inputs @ arrays["coef"].T + arrays["intercept"]
```
"""

_FOREST = """```python
import skops.io

forest = skops.io.load("model.skops", trusted=["sklearn.tree._tree.Tree"])
answers = forest.predict(inputs)
```

`trusted` builds what the file says; for a file from others use
`parity_flwr.clients.load_forest`.
"""


def model_card(fitted: FittedModel, manifest: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    metrics = "".join(
        f"| {name} | {value:.6g} |\n" for name, value in manifest["metrics"].items()
    )
    privacy = manifest["privacy"]
    promised = (
        f"{privacy['level']}: epsilon {privacy['spent']:.6g} at delta {privacy['delta']:g}"
        if "spent" in privacy
        else "none"
    )
    target = _plain(manifest["target"])
    return f"""# {manifest["model"]} for {target}

Made by run {manifest["run"]} ({manifest["made_by"]}): {manifest["clients"]} clients with
{manifest["train_rows"]} rows, seed {manifest["seed"]}, {manifest["rounds"]} rounds.
Privacy: {promised}.

| metric on {manifest["test_rows"]} rows that no client had | |
|---|---|
{metrics}
`parity predict PATH new.csv` predicts, PATH being this folder. The same in Python:

{_HERE}
Inputs are made from columns by `encoding.json`: (x - mean) / scale, cut at `limit`, 0 where
missing, and 1 beside it if `marked`; for texts 1 at the level, the last input for all others.
Without parity-flwr, from `inputs` of float32, shape (n, {fitted.features}), in that order:

{_without(fitted)}"""


def _without(fitted: FittedModel) -> str:
    if fitted.kind is Kind.FOREST:
        return _FOREST
    if fitted.kind is Kind.LINEAR:
        meaning = {0: "numbers", 2: "log-odds of the second class"}
        shown = meaning.get(len(fitted.classes), "of each class: softmax gives probabilities")
        return f"{_LINEAR}\nThe scores are {shown}.\n"
    return _network(fitted)


def _network(fitted: FittedModel) -> str:
    layers = [f"torch.nn.Linear({w.shape[1]}, {w.shape[0]})" for w, _ in fitted.layers]
    network = ", torch.nn.ReLU(), ".join(layers)
    meaning = (
        "torch.softmax(scores, 1) are the probabilities"
        if fitted.classes
        else f"scores * {fitted.scale!r} + {fitted.centre!r} are the numbers"
    )
    return f"""```python
import torch
from safetensors.torch import load_file

network = torch.nn.Sequential({network})
network.load_state_dict(load_file("model.safetensors"))
scores = network(torch.from_numpy(inputs))
```

{meaning}. `model.onnx`, where it is there, ends with that:

```python
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(outputs,) = session.run(None, {{"inputs": inputs}})
```
"""


def _plain(name: str) -> str:
    """Return a column's name as text that is no markup and one line."""
    return "".join(c if c.isalnum() or c in " _.-" else "?" for c in name)[:80]
