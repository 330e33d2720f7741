"""The learning task: a small network and scikit-learn's handwritten digits."""

from functools import lru_cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """A perceptron with one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores of the ten digits."""
        return self.out(torch.relu(self.hidden(x)))


@lru_cache(maxsize=1)
def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return torch.tensor(x[order] / 16, dtype=torch.float32), torch.tensor(y[order])


def load_data(partition_id: int, num_partitions: int, batch_size: int) -> DataLoader:
    """Return the training batches of one client: an even share of 1,437 images."""
    x, y = (part[360:][partition_id::num_partitions] for part in _digits())
    batches = torch.Generator().manual_seed(partition_id)
    data = TensorDataset(x, y)
    return DataLoader(data, batch_size=batch_size, shuffle=True, generator=batches)


def load_test_data() -> DataLoader:
    """Return the 360 images that no client has."""
    return DataLoader(TensorDataset(*(part[:360] for part in _digits())), batch_size=360)


def train(net: Net, batches: DataLoader, epochs: int, lr: float) -> float:
    """Train in place and return the mean loss of the last epoch."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss()
    net.train()
    loss = 0.0
    for _ in range(epochs):
        loss = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            error = criterion(net(x), y)
            error.backward()
            optimizer.step()
            loss += error.item()
    return loss / len(batches)


def test(net: Net, batches: DataLoader) -> tuple[float, float]:
    """Return the mean loss and the accuracy."""
    criterion = nn.CrossEntropyLoss(reduction="sum")
    loss, correct, seen = 0.0, 0, 0
    net.eval()
    with torch.no_grad():
        for x, y in batches:
            scores = net(x)
            loss += criterion(scores, y).item()
            correct += int((scores.argmax(1) == y).sum())
            seen += len(y)
    return loss / seen, correct / seen
