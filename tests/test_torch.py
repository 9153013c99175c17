"""Do PyTorch and the notebook find the same probabilities, losses and gradients? Without torch, this is skipped."""

import re

import numpy as np
import pytest
from page import PROSE

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("seed", range(20))
def test_forward_and_backward_agree_with_pytorch(nn, seed):
    rng = np.random.default_rng(seed)
    m, inputs, hidden, classes = rng.integers(1, [100, 200, 50, 12], endpoint=True)
    X, y = rng.random((m, inputs)), rng.integers(classes, size=m)
    params = [rng.normal(0, 1, shape) for shape in ((inputs, hidden), hidden, (hidden, classes), classes)]
    W1, b1, W2, b2 = leaves = [torch.tensor(P, requires_grad=True) for P in params]
    logits = torch.relu(torch.tensor(X) @ W1 + b1) @ W2 + b2
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
    loss.backward()

    Y = nn.one_hot(y, classes)
    Z1, A1, Z2, Y_hat = nn.forward(X, *params)
    ours = nn.cross_entropy(Y_hat, Y), Y_hat, Z2, *nn.backward(X, Y, Z1, A1, Y_hat, params[2])
    theirs = loss.detach(), logits.softmax(1).detach(), logits.detach(), *(P.grad for P in leaves)
    for a, b in zip(ours, theirs, strict=True):
        assert np.shape(a) == b.shape and np.allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_any_number_of_layers_agrees_with_pytorch(nn, rng, depth):
    sizes = rng.integers(2, 30, size=depth + 1)
    X, y = rng.normal(size=(40, sizes[0])), rng.integers(sizes[-1], size=40)
    layers = [(W.astype(float), rng.normal(size=len(b))) for W, b in nn.init_layers(sizes, rng)]
    leaves = [[torch.tensor(P, requires_grad=True) for P in layer] for layer in layers]
    Z = torch.tensor(X)
    for k, (W, b) in enumerate(leaves):
        Z = (torch.relu(Z) if k else Z) @ W + b
    torch.nn.functional.cross_entropy(Z, torch.tensor(y)).backward()
    found = nn.backprop(X, nn.one_hot(y, sizes[-1]), layers)
    assert all(np.allclose(dP, P.grad, atol=1e-12) for a, b in zip(found, leaves) for dP, P in zip(a, b))


@pytest.mark.slow
def test_the_pages_twin_has_the_same_gradients_and_reaches_98_percent(nn, mnist):
    """The code of section 17 as it stands: first one batch from our weights, then the whole training."""
    [code] = re.findall(r"```python\n(import torch.*?)```", PROSE, re.S)
    begin, loop = re.split(r"(?=for rate in)", code)
    torch.manual_seed(0)
    images, labels, test_images, y_test = mnist
    space = {"X": torch.tensor(nn.as_rows(images[5000:])), "y": torch.tensor(labels[5000:].astype(np.int64))}
    exec(begin, space)
    kept = [P.detach().clone() for P in space["model"].parameters()]
    params = nn.init_params(784, 128, 10, np.random.default_rng(0))
    for P, ours in zip(space["model"].parameters(), params):
        P.data = torch.tensor(ours.T.copy())
    space["loss_fn"](space["model"](space["X"][:64]), space["y"][:64]).backward()
    X, Y = space["X"][:64].numpy(), nn.one_hot(space["y"][:64].numpy())
    Z1, A1, _, Y_hat = nn.forward(X, *params)
    for P, dP in zip(space["model"].parameters(), nn.backward(X, Y, Z1, A1, Y_hat, params[2])):
        assert np.allclose(P.grad.numpy().T, dP, atol=1e-6)
    for P, first in zip(space["model"].parameters(), kept):
        P.data = first
    exec(loop, space)
    right = space["model"](torch.tensor(nn.as_rows(test_images))).argmax(1).numpy() == y_test
    assert right.mean() >= 0.98
