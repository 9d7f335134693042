"""Classes of the network and numbers of schemas."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Grid, LabelMap
from gliocast.segmentation.classes import CLASSES, NUM_PLAIN, NUM_WITH_BRAIN, classes_of, labels_of


def labels_in(schema, numbers):
    """Numbers along a line, as a segmentation."""
    data = np.array(numbers, np.uint8).reshape(-1, 1, 1)
    return LabelMap(data, Grid(data.shape, np.eye(4)), schema)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=str)
def test_compartments_of_every_schema_are_the_same_classes_and_come_back(schema):
    numbers = [0, schema.necrosis, schema.edema, schema.enhancing, 0]
    labels = labels_in(schema, numbers)
    brain = np.array([False, True, True, True, True]).reshape(-1, 1, 1)
    classes = classes_of(labels, brain)
    assert [CLASSES[number] for number in classes.ravel()] == ["background", "necrosis", "edema", "enhancing", "brain"]
    written = labels_of(classes, schema)
    assert written.dtype == np.uint8
    np.testing.assert_array_equal(written, labels.data)


def test_one_schema_is_written_in_another():
    classes = classes_of(labels_in(SCHEMAS["swapped"], [4, 2, 1]), np.ones((3, 1, 1), bool))
    assert labels_of(classes, SCHEMAS["brats-2023"]).ravel().tolist() == [1, 2, 3]


def test_a_resection_cavity_is_healthy_brain_or_background_and_none_of_the_tumor():
    labels = labels_in(SCHEMAS["brats-2024"], [4, 4, 3])
    brain = np.array([True, False, True]).reshape(-1, 1, 1)
    classes = classes_of(labels, brain)
    assert [CLASSES[number] for number in classes.ravel()] == ["brain", "background", "enhancing"]
    assert labels_of(classes, labels.schema).ravel().tolist() == [0, 0, 3]


def test_tumor_counts_outside_of_the_brain_mask_too():
    assert classes_of(labels_in(SCHEMAS["brats-2021"], [2]), np.zeros((1, 1, 1), bool)).item() == 2


def test_healthy_brain_is_the_last_class_and_the_plain_network_has_none():
    assert CLASSES[NUM_PLAIN:NUM_WITH_BRAIN] == ("brain",)
    assert len(CLASSES) == NUM_WITH_BRAIN
