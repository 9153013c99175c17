"""Fixtures: the notebook's functions, and MNIST where it can be had."""

import numpy as np
import pytest
from data_here import found
from notebook import functions


@pytest.fixture(scope="session")
def nn():
    """The functions of the notebook."""
    return functions()


@pytest.fixture
def rng():
    """A generator that is the same for every test."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def mnist():
    """X_train, y_train, X_test, y_test: the real MNIST, as it is on disk."""
    if not found["on_mnist"]:
        pytest.skip("MNIST is not here, and no mirror is within reach")
    return found["arrays"]
