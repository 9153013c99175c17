"""Fixtures: the notebook's functions, and the MNIST test set where the files are there."""

import numpy as np
import pytest
from notebook import ROOT, functions


@pytest.fixture(scope="session")
def nn():
    """The functions of the notebook."""
    return functions()


@pytest.fixture
def rng():
    """A generator that is the same for every test."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def mnist(nn):
    """X_train, y_train, X_test, y_test: the real MNIST, as it is on disk."""
    return nn.load_mnist(ROOT / "data")[:4]
