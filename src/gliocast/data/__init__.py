"""From files to a checked patient, and from results to files that are whole or not there."""

from gliocast.data.bids import Naming, Subject
from gliocast.data.cache import cache_folder, content_key, file_hash, load_arrays, store_arrays, unfinished_file
from gliocast.data.checkpoint import (
    Checkpoint,
    generator_state,
    load_checkpoint,
    restore_generator,
    save_checkpoint,
)
from gliocast.data.diffusion_tensor import TensorImage, read_diffusion_tensor
from gliocast.data.folders import find_files
from gliocast.data.inference_data import read_posterior, write_posterior
from gliocast.data.labels import read_labels, swap_warning
from gliocast.data.nifti import header_warnings, read_any_volume, read_integers, read_volume, write_like, write_volume
from gliocast.data.outputs import whole_file, whole_folder
from gliocast.data.patient import describe, read_patient, read_patient_files, read_study, read_study_files
from gliocast.data.preprocess import brain_mask, require_brain, zscore
from gliocast.data.results import (
    BidsResults,
    Results,
    find_results,
    folders_of_results,
    lay_out,
    require_room,
    whole_results,
)
from gliocast.data.series import open_series, read_density_series, write_vectors
from gliocast.data.tables import read_table, write_json
from gliocast.data.treatments import TREATMENT_KEYS, read_treatments
from gliocast.data.volumes import ColumnNames, read_volumes

__all__ = [
    "TREATMENT_KEYS",
    "BidsResults",
    "Checkpoint",
    "ColumnNames",
    "Naming",
    "Results",
    "Subject",
    "TensorImage",
    "brain_mask",
    "cache_folder",
    "content_key",
    "describe",
    "file_hash",
    "find_files",
    "find_results",
    "folders_of_results",
    "generator_state",
    "header_warnings",
    "lay_out",
    "load_arrays",
    "load_checkpoint",
    "open_series",
    "read_any_volume",
    "read_density_series",
    "read_diffusion_tensor",
    "read_integers",
    "read_labels",
    "read_patient",
    "read_patient_files",
    "read_posterior",
    "read_study",
    "read_study_files",
    "read_table",
    "read_treatments",
    "read_volume",
    "read_volumes",
    "require_brain",
    "require_room",
    "restore_generator",
    "save_checkpoint",
    "store_arrays",
    "swap_warning",
    "unfinished_file",
    "whole_file",
    "whole_folder",
    "whole_results",
    "write_json",
    "write_like",
    "write_posterior",
    "write_vectors",
    "write_volume",
    "zscore",
]
