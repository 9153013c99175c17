"""pytest plugin (named in pytest.ini): on which data do the tests run, whatever part is asked for? And fixtures.

On the stand-in (no MNIST in data/, and no mirror within reach) the stored outputs, which are MNIST's, can't be
compared. The notebook then runs in nbval's lax mode: its errors count, its outputs do not.
"""

import os

import numpy as np
import pytest
from notebook import ROOT, functions

found = {}


def pytest_configure(config):
    """Look for MNIST once, as the notebook does."""
    os.chdir(ROOT)
    *found["arrays"], found["on_mnist"] = functions().load_mnist()
    if not found["on_mnist"]:
        config.option.nbval, config.option.nbval_lax = False, True


def pytest_report_header(config):
    """Say on which data the tests run."""
    if found["on_mnist"]:
        return "data: MNIST; outputs are compared"
    return "data: NOT MNIST but the stand-in; outputs are not compared, errors count"


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
    return found["arrays"] if found["on_mnist"] else pytest.skip("MNIST is not here, nor within reach")
