"""What `fit` costs beside the same loop written by hand.

    python tools/benchmark_fit.py

Both train the same small RNN on the same batches. CPU-seconds on one thread, the two
taken in turn, the median of several rounds. Prints the ratio.
"""

import os
import pathlib
import statistics
import sys
import time

os.environ["TQDM_DISABLE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import torch
from torch import nn

from utils.training import fit

ROUNDS, EPOCHS, BATCH, LR = 9, 3, 64, 1e-3


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


def by_hand(model, train, validation):
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    order = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train[0]), generator=order).split(BATCH):
            loss = nn.functional.mse_loss(model(train[0][rows]), train[1][rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        with torch.no_grad():
            nn.functional.mse_loss(model(validation[0]), validation[1])


def with_fit(model, train, validation):
    fit(model, train, validation, epochs=EPOCHS, batch_size=BATCH, lr=LR)


def measure():
    """Median CPU-seconds of `fit` over those of the loop by hand."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    train = torch.randn(2048, 24, 1), torch.randn(2048, 1)
    validation = torch.randn(256, 24, 1), torch.randn(256, 1)
    seconds = {by_hand: [], with_fit: []}
    for _ in range(ROUNDS + 1):  # the first round warms up
        for run, taken in seconds.items():
            model = Model()
            started = time.process_time()
            run(model, train, validation)
            taken.append(time.process_time() - started)
    hand, fitted = (statistics.median(taken[1:]) for taken in seconds.values())
    return fitted / hand


if __name__ == "__main__":
    print(f"fit takes {measure():.3f} x the CPU-seconds of the loop by hand")
