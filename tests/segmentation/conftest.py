"""A brain that several tests look at."""

import pytest

from .phantom import SHAPE, brain_classes, gray_values


@pytest.fixture(scope="module")
def classes():
    return brain_classes(SHAPE)


@pytest.fixture(scope="module")
def scans(classes):
    return gray_values(classes)
