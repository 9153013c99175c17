"""Fixtures: the notebook's functions, and MNIST where it can be had.

On the stand-in (no MNIST in data/, and no mirror within reach) the stored outputs, which are MNIST's, can't be
compared. The notebook then runs in nbval's lax mode: its asserts and errors count, its outputs do not.
"""

import os

import numpy as np
import pytest
from notebook import ROOT, functions

found = {}


def pytest_configure(config):
    """Look for MNIST once, as the notebook does."""
    os.chdir(ROOT)
    *found["arrays"], found["source"] = functions().load_mnist()
    found["on_mnist"] = not found["source"].endswith("drawn_digits.npz")
    if not found["on_mnist"]:
        config.option.nbval, config.option.nbval_lax = False, True


def pytest_report_header(config):
    """Say on which data the tests run."""
    if found["on_mnist"]:
        return f"data: MNIST from {found['source']}; outputs are compared"
    return "data: NOT MNIST but the stand-in; outputs are not compared, asserts and errors count"


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
