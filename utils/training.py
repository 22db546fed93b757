"""The training loop of lesson 02.1, made into a function for all other lessons."""

import copy
import math
import warnings
from dataclasses import dataclass, field

import torch
from torch import nn
from tqdm.auto import tqdm

from utils.inputs import amount, demand, number


@dataclass
class History:
    """What `fit` saw: one training and one validation loss for each epoch."""

    train: list = field(default_factory=list)
    validation: list = field(default_factory=list)
    best_epoch: int = 0  # the model holds the weights after this epoch; 0: none
    stopped: str = "after the last epoch"


def fit(
    model, train, validation, *, epochs=50, batch_size=64, lr=1e-3, clip=1.0,
    loss=nn.functional.mse_loss, patience=None, optimizer=None, seed=0,
):  # fmt: skip
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
    is_model = isinstance(model, nn.Module)
    demand(is_model, f"model must be an nn.Module, not {model!r:.80}", TypeError)
    for name, tensors in (("train", train), ("validation", validation)):
        pair = isinstance(tensors, (tuple, list)) and len(tensors) > 1
        told = f"{name} must be a tuple of tensors (inputs, ..., target)"
        demand(pair, told, TypeError)
        _check(tensors, name)
        _try(model, tensors, loss, name)
    epochs, batch_size = amount(epochs, "epochs"), amount(batch_size, "batch_size")
    patience = patience and amount(patience, "patience")
    demand(clip is None or number(clip, "clip") > 0, f"clip must be > 0, not {clip}")
    weights = {id(part) for part in model.parameters() if part.requires_grad}
    demand(weights, "model has no weight to train (requires_grad is False everywhere)")
    optimizer = optimizer or torch.optim.Adam(
        model.parameters(), lr=number(lr, "lr", 0)
    )
    kind = isinstance(optimizer, torch.optim.Optimizer)
    demand(
        kind, f"optimizer must be made, as Adam(model.parameters()): {optimizer!r:.80}"
    )
    held = {id(part) for group in optimizer.param_groups for part in group["params"]}
    demand(held & weights, "optimizer holds the weights of another model")
    demand(
        torch.is_grad_enabled(), "fit needs gradients: call it outside torch.no_grad()"
    )
    order = torch.Generator().manual_seed(amount(seed, "seed", 0))
    history, lowest = History(), math.inf
    best = copy.deepcopy(model.state_dict())
    bar = tqdm(total=epochs, desc="training", unit="epoch", leave=False)
    try:
        for epoch in range(1, epochs + 1):
            model.train()
            total = 0.0
            shuffled = torch.randperm(len(train[0]), generator=order)
            for rows in shuffled.split(batch_size):
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
    batch_size = amount(batch_size, "batch_size")
    demand(inputs, "predict needs inputs: predict(model, x)")
    _check(inputs, "inputs", least=0)
    model.eval()
    with torch.no_grad():
        batches = zip(*(tensor.split(batch_size) for tensor in inputs), strict=True)
        return torch.cat([_answer(model, batch, "inputs") for batch in batches])


def _check(tensors, name, least=1):
    for position, tensor in enumerate(tensors):
        where, kind = f"{name}[{position}]", type(tensor).__name__
        is_tensor = isinstance(tensor, torch.Tensor)
        told = f"{where} must be a tensor, not {kind}: use torch.tensor()"
        demand(is_tensor, told, TypeError)
        demand(tensor.ndim, f"{where} must have a first axis, of N examples")
        sizes = f"{len(tensors[0])} and {len(tensor)}"
        same = len(tensor) == len(tensors[0])
        demand(same, f"{name} must have equal first sizes, not {sizes}")
        demand(
            len(tensor) >= least, f"{where} is empty: there is nothing to learn from"
        )
        finite = not least or not tensor.is_floating_point() or tensor.isfinite().all()
        demand(finite, f"{where} holds NaN or infinite values")


def _answer(model, inputs, name):
    """What the model makes of these inputs, a tensor, or what is wrong in words."""
    try:
        answer = model(*inputs)
    except (RuntimeError, TypeError, IndexError, ValueError) as error:
        have = ", ".join(f"{tuple(x.shape)} {x.dtype}" for x in inputs)
        own = {str(part.dtype) for part in model.parameters()}
        raise ValueError(
            f"the model cannot read {name}, {have}; its weights are {', '.join(own)}. "
            f"(x.float() makes float32.) It said: {error}"
        ) from error
    is_tensor = isinstance(answer, torch.Tensor)
    kind = type(answer).__name__
    demand(is_tensor, f"the model must return one tensor, not a {kind}", TypeError)
    return answer


def _try(model, tensors, loss, name):
    """Compare two examples as the training will, to say early what does not fit."""
    *inputs, target = (tensor[:2] for tensor in tensors)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a target that torch stretches
        answer = _answer(model.eval(), inputs, name)
        shapes = f"prediction {tuple(answer.shape)} and target {tuple(target.shape)}"
        made = "loss must be made first: nn.MSELoss(), not nn.MSELoss"
        demand(not isinstance(loss, type), made, TypeError)
        try:
            value = loss(answer, target)
        except (RuntimeError, TypeError, ValueError, UserWarning) as error:
            raise ValueError(f"loss cannot compare {shapes}: {error}") from error
    one = isinstance(value, torch.Tensor) and value.ndim == 0
    demand(one, "loss must return one number, the mean over the batch")
