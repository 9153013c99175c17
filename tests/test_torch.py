"""Do PyTorch and the notebook find the same losses, gradients and steps? Without torch, this is skipped."""

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


RULES = {
    "sgd": lambda leaves: torch.optim.SGD(leaves, lr=0.05),
    "momentum": lambda leaves: torch.optim.SGD(leaves, lr=0.05, momentum=0.9),
    "adam": lambda leaves: torch.optim.Adam(leaves, lr=0.05),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_five_steps_of_any_number_of_layers_agree_with_pytorch(nn, rng, depth, rule):
    """Each step takes all 40 images, in whatever order."""
    sizes = [*rng.integers(2, 30, size=depth), 10]
    X, y = rng.normal(size=(40, sizes[0])), rng.integers(10, size=40)
    layers = [(W.astype(float), rng.normal(size=len(b))) for W, b in nn.init_layers(sizes, rng)]
    leaves = [torch.tensor(P, requires_grad=True) for P in sum(layers, ())]
    optimiser = RULES[rule](leaves)
    for _ in range(5):
        Z = torch.tensor(X)
        for k in range(0, len(leaves), 2):
            Z = (torch.relu(Z) if k else Z) @ leaves[k] + leaves[k + 1]
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(Z, torch.tensor(y)).backward()
        optimiser.step()
    trained, _ = nn.train_layers(X, y, layers, [0.05] * 5, rng, update=getattr(nn, rule))
    assert all(np.allclose(P, leaf.detach(), atol=1e-9) for P, leaf in zip(sum(trained, ()), leaves))


@pytest.mark.slow
def test_the_pages_twin_reads_98_percent(nn, mnist):
    """The code of section 17 as it stands."""
    [code] = re.findall(r"```python\n(import torch.*?)```", PROSE, re.S)
    images, labels, test_images, y_test = mnist
    space = {"X": torch.tensor(nn.as_rows(images)), "y": torch.tensor(labels.astype(np.int64))}
    torch.manual_seed(0)
    torch.set_num_threads(1)
    exec(code, space)
    answers = space["model"](torch.tensor(nn.as_rows(test_images))).argmax(1).numpy()
    assert np.mean(answers == y_test) > 0.98
