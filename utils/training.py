"""The training loop of lesson 02.1, made into a function for all other lessons."""

import copy
import math
from dataclasses import dataclass, field

import torch
from torch import nn
from tqdm.auto import tqdm


@dataclass
class History:
    """What `fit` saw: one training and one validation loss for each epoch."""

    train: list = field(default_factory=list)
    validation: list = field(default_factory=list)
    best_epoch: int = 0  # the model holds the weights after this epoch; 0: none
    stopped: str = "after the last epoch"


def fit(
    model,
    train,
    validation,
    *,
    epochs=50,
    batch_size=64,
    lr=1e-3,
    loss=nn.functional.mse_loss,
    clip=1.0,
    patience=None,
    optimizer=None,
    seed=0,
):
    """Train on mini-batches and keep the weights that were best on the validation part.

    train, validation  tuples of tensors (inputs, ..., target) with equal first size N;
                       the model is called with all but the last
    loss               loss(prediction, target), a mean over the batch
    clip               largest norm of the gradient; None leaves it alone
    patience           stop after so many epochs without a better validation loss
    optimizer          made for this model by you; Adam with `lr` if left out
    seed               of the order of the batches

    Returns a History. Ctrl-C stops early and keeps the best weights so far. A loss that
    is NaN or infinite raises FloatingPointError, likewise with the best weights kept.
    """
    _check(train, "train")
    _check(validation, "validation")
    for name, number in (("epochs", epochs), ("batch_size", batch_size)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=lr)
    order = torch.Generator().manual_seed(seed)
    history, lowest = History(), math.inf
    best = copy.deepcopy(model.state_dict())
    bar = tqdm(total=epochs, desc="training", unit="epoch", leave=False)
    try:
        for epoch in range(1, epochs + 1):
            model.train()
            total = 0.0
            for rows in torch.randperm(len(train[0]), generator=order).split(
                batch_size
            ):
                *inputs, target = (tensor[rows] for tensor in train)
                batch_loss = loss(model(*inputs), target)
                optimizer.zero_grad()
                batch_loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                total += batch_loss.item() * len(rows)
            *inputs, target = validation
            now = loss(predict(model, *inputs), target).item()
            history.train.append(total / len(train[0]))
            history.validation.append(now)
            if not math.isfinite(history.train[-1] + now):
                history.stopped = f"in epoch {epoch}: the loss was not finite"
                raise FloatingPointError(
                    f"the loss became {history.train[-1]} in training and {now} in "
                    f"validation in epoch {epoch}. The model holds the weights of "
                    f"epoch {history.best_epoch}. Usual cures: a smaller lr, a smaller "
                    "clip, standardised inputs"
                )
            if now < lowest:
                lowest, history.best_epoch = now, epoch
                best = copy.deepcopy(model.state_dict())
            elif patience and epoch - history.best_epoch >= patience:
                history.stopped = f"after {patience} epochs without a better one"
                break
            bar.set_postfix(validation=f"{now:.4g}", refresh=False)
            bar.update()
    except KeyboardInterrupt:
        history.stopped = "by you"
        print(
            f"Stopped in epoch {len(history.train) + 1}. The model holds the best "
            f"weights so far, of epoch {history.best_epoch}."
        )
    finally:
        bar.total = bar.n  # or a notebook keeps the bar, in red, when stopped early
        bar.close()
        model.load_state_dict(best)
    return history


def predict(model, *inputs, batch_size=1024):
    """Outputs for tensors with equal first size: no gradients, no dropout."""
    model.eval()
    with torch.no_grad():
        batches = zip(*(tensor.split(batch_size) for tensor in inputs), strict=True)
        return torch.cat([model(*batch) for batch in batches])


def _check(tensors, name):
    if not isinstance(tensors, (tuple, list)) or len(tensors) < 2:
        raise TypeError(f"{name} must be a tuple of tensors (inputs, ..., target)")
    for position, tensor in enumerate(tensors):
        where = f"{name}[{position}]"
        if not isinstance(tensor, torch.Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{where} must be a tensor, not {kind}: use torch.tensor()")
        if len(tensor) != len(tensors[0]):
            raise ValueError(
                f"{name} must have equal first sizes, not {len(tensors[0])} and "
                f"{len(tensor)}"
            )
        if not len(tensor):
            raise ValueError(f"{where} is empty: there is nothing to learn from")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{where} holds NaN or infinite values")
