"""Do PyTorch and the notebook find the same probabilities, loss and gradients? Without torch, this is skipped."""

import numpy as np
import pytest

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
