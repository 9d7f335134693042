"""What results are called in a BIDS derivatives dataset (version 1.10), and what their sidecars say.

A name is ``<subject>[_<session>]_space-orig[_label-<label>][_desc-<label>]_<suffix>.nii.gz``: nothing is moved out of
the space of the scans. Masks, tissue and probabilities have suffixes of the specification (`mask`, `probseg`), as has
the segmentation (`dseg`). A density of tumor cells is none of these: its suffix, ``density``, is gliocast's own.

Source: Brain Imaging Data Structure, derivatives: common data types, imaging, file naming conventions; order of
entities and labels that are reserved from there.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gliocast.core import RESEARCH_NOTICE, InputError, LabelSchema
from gliocast.data.folders import printable

#: Of the specification that names and sidecars follow.
BIDS_VERSION = "1.10.0"

#: Folder of images in that of a subject or session.
ANATOMICAL = "anat"

#: Label of a subject that neither file names nor the user name.
NAMELESS = "01"

#: Of the reserved index that a tumor's compartments belong to: lesion.
_LESION_INDEX = 7

_LABEL = re.compile(r"[A-Za-z0-9]+")
_NAME = re.compile(r"sub-(?P<label>[A-Za-z0-9]+)_(?:ses-(?P<session>[A-Za-z0-9]+)_)?")
_IMAGE = re.compile(r"sub-[A-Za-z0-9]+(_[a-z]+-[A-Za-z0-9]+)*_[A-Za-z0-9]+\.nii(\.gz)?")


@dataclass(frozen=True)
class Subject:
    """Whose results these are, by labels that name nobody.

    Args:
        label: of the subject, letters and digits.
        session: label of the session, likewise; None where there are none.
        assumed: whether nobody said so: then it may be the label of another patient, too.

    Raises:
        InputError: a label has other characters, or none.
    """

    label: str
    session: str | None = None
    assumed: bool = field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, label in (("subject", self.label), ("session", self.session)):
            if label is not None and not (label.isascii() and _LABEL.fullmatch(label)):
                raise InputError(
                    name,
                    expected="a label of letters and digits",
                    got=printable(label) or "nothing",
                    advice=f"give one with --{name}, without the prefix",
                )

    @property
    def folder(self) -> str:
        """Path in a dataset, such as ``sub-01/ses-1``."""
        return "/".join(self._parts)

    @property
    def stem(self) -> str:
        """What names of files begin with, such as ``sub-01_ses-1``."""
        return "_".join(self._parts)

    @property
    def _parts(self) -> list[str]:
        return [f"sub-{self.label}", *([] if self.session is None else [f"ses-{self.session}"])]


@dataclass(frozen=True)
class Naming:
    """How results are named: by what the user says, by what the scans are called, or not at all.

    Args:
        subject: label of the subject; None for that of the scans where they are named as BIDS has it, else `NAMELESS`.
        session: label of the session; None for that of the scans, if any.
    """

    subject: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        Subject(NAMELESS if self.subject is None else self.subject, self.session)

    def of(self, paths: Iterable[Path | None]) -> Subject:
        """The subject whose scans these are: of label and session, each by the user if said, else by the files.

        Raises:
            InputError: file names are those of several subjects or sessions, and the user doesn't say which.
        """
        found = {subject for path in paths if path is not None and (subject := subject_of(path)) is not None}
        labels = {subject.label for subject in found} if self.subject is None else {self.subject}
        sessions = {subject.session for subject in found} if self.session is None else {self.session}
        if len(labels) > 1 or len(sessions) > 1:
            raise InputError(
                "scans",
                expected="those of one subject and session",
                got=", ".join(sorted(subject.stem for subject in found)),
                advice="check the files, or say whose they are with --subject and --session",
            )
        return Subject(next(iter(labels), NAMELESS), next(iter(sessions), None), assumed=not labels)


def subject_of(path: Path) -> Subject | None:
    """Whose file this is by its name, or by the folders in which a BIDS dataset keeps it; None where neither says."""
    match = _NAME.match(path.name)
    if match:
        return Subject(match["label"], match["session"])
    folders = [folder for folder in absolute(path).parent.parts if folder != ANATOMICAL][-2:]
    session = folders.pop().removeprefix("ses-") if folders and re.fullmatch(r"ses-[A-Za-z0-9]+", folders[-1]) else None
    if folders and re.fullmatch(r"sub-[A-Za-z0-9]+", folders[-1]):
        return Subject(folders[-1].removeprefix("sub-"), session)
    return None


@dataclass(frozen=True)
class Kind:
    """What an image is to BIDS.

    Args:
        entities: what tells it from the others, such as ``label-WM``.
        suffix: the kind of its content.
        description: a sentence.
        sources: plain names, without ending, of what it is made of; ``t1`` and ``segmentation`` may be input files.
    """

    entities: str
    suffix: str
    description: str
    sources: tuple[str, ...] = ()

    @property
    def ending(self) -> str:
        """What follows the subject in a file's name."""
        return f"_space-orig_{self.entities}_{self.suffix}.nii.gz"


_TISSUE = ("white_matter", "gray_matter", "csf")
_GROWN = ("segmentation", *_TISSUE)

#: Images by plain name without ending; targets and `density_above_*` follow rules of their own.
KINDS: Mapping[str, Kind] = {
    "density": Kind("desc-mode", "density", "Tumor-cell density at the posterior mode", _GROWN),
    "density_mean": Kind("desc-mean", "density", "Mean of the tumor-cell density over posterior samples", _GROWN),
    "density_sd": Kind("desc-sd", "density", "Standard deviation of the density over posterior samples", _GROWN),
    "density_samples": Kind(
        "desc-samples", "density", "Densities of posterior samples on coarser voxels, along the fourth axis", _GROWN
    ),
    "white_matter": Kind(
        "label-WM", "probseg", "White matter, from an atlas registered to the T1, restored under the tumor", ("t1",)
    ),
    "gray_matter": Kind("label-GM", "probseg", "Gray matter, likewise", ("t1",)),
    "csf": Kind("label-CSF", "probseg", "Cerebrospinal fluid: the rest of the brain mask", ("t1",)),
    "falx": Kind("label-falx", "mask", "Falx, from an atlas registered to the T1", ("t1",)),
    "tentorium": Kind("label-tentorium", "mask", "Tentorium, likewise", ("t1",)),
    "segmentation": Kind(
        "desc-tumor", "dseg", "Segmentation of the tumor by gliocast's network", ("t1", "t1c", "t2", "flair")
    ),
}

#: Descriptions of targets by volume, and of those of a CTV and its PTV by what follows.
_VOLUMES = {"gtv": "Gross tumor volume", "ctv": "Clinical target volume", "ptv": "Planning target volume"}
_TARGETS = {"standard": "of the guideline", "model": "of the model", "boost": "of the boost", "edema": "with edema"}

_TARGET = re.compile(r"(gtv|ctv|ptv)(?:_([A-Za-z0-9]+))?")
_TARGET_ENTITIES = re.compile(r"label-(GTV|CTV|PTV)(?:_desc-([A-Za-z0-9]+))?")
_ABOVE = re.compile(r"density_above_(\d+(?:\.\d+)?)")
_ABOVE_ENTITIES = re.compile(r"label-L_desc-above(\d+(?:p\d+)?)")


def kind_of(plain: str) -> Kind | None:
    """What an image is to BIDS, by its plain name without ending; None for one that gliocast doesn't name."""
    if plain in KINDS:
        return KINDS[plain]
    if match := _ABOVE.fullmatch(plain):
        level = match[1]
        text = f"Probability that the tumor-cell density exceeds {level} of carrying capacity"
        return Kind(f"label-L_desc-above{level.replace('.', 'p')}", "probseg", text, _GROWN)
    if match := _TARGET.fullmatch(plain):
        volume, target = match.groups()
        entities, text = f"label-{volume.upper()}", _VOLUMES[volume]
        if target:
            entities, text = f"{entities}_desc-{target}", f"{text} {_TARGETS.get(target, target)}"
        return Kind(entities, "mask", text, _sources_of(volume, target))
    return None


def _sources_of(volume: str, target: str | None) -> tuple[str, ...]:
    """Plain names of what a target is made of."""
    if volume == "gtv":
        return ("segmentation",)
    if volume == "ptv":
        return (f"ctv_{target}" if target else "ctv",)
    if target == "model":
        return ("density", "ctv_standard")
    return (*(("gtv", "gtv_edema") if target == "standard" else ("gtv",)), *_TISSUE, "falx", "tentorium")


def plain_of(entities: str, suffix: str) -> str | None:
    """The plain name without ending of an image of gliocast's; None for any other."""
    for plain, kind in KINDS.items():
        if (kind.entities, kind.suffix) == (entities, suffix):
            return plain
    if suffix == "probseg" and (match := _ABOVE_ENTITIES.fullmatch(entities)):
        return f"density_above_{match[1].replace('p', '.')}"
    if suffix == "mask" and (match := _TARGET_ENTITIES.fullmatch(entities)):
        return "_".join([match[1].lower(), *([match[2]] if match[2] else [])])
    return None


def image_sidecar(kind: Kind, *, reference: str | None, sources: Iterable[str]) -> dict[str, Any]:
    """The content of an image's JSON file.

    Args:
        kind: of the image.
        reference: BIDS URI of the scan that it is aligned with; None where that is in no dataset.
        sources: BIDS URIs of what it was made of.
    """
    content: dict[str, Any] = {
        "notice": RESEARCH_NOTICE,
        "Description": kind.description,
        "SpatialReference": reference or "orig",
    }
    if kind.suffix == "density":
        content |= {"Units": "1", "LongName": "fraction of carrying capacity, 0 to 1", "SkullStripped": True}
    elif kind.suffix == "probseg":
        content |= {"Units": "1", "Manual": False}
    elif kind.suffix == "dseg":
        content["Manual"] = False
    elif kind.suffix == "mask":
        content["Type"] = "Lesion" if kind.entities.startswith("label-GTV") else "ROI"
    made_of = list(sources)
    return content | {"Sources": made_of} if made_of else content


def lookup_table(schema: LabelSchema) -> str:
    """What the numbers of a segmentation mean, as the text of a ``dseg.tsv``."""
    compartments = {"necrosis": "NCR", "edema": "ED", "enhancing": "ET", "cavity": "RC"}
    rows = [(getattr(schema, name), name, short) for name, short in compartments.items()]
    lines = ["index\tname\tabbreviation\tmapping"]
    lines += [f"{index}\t{name}\t{short}\t{_LESION_INDEX}" for index, name, short in sorted(r for r in rows if r[0])]
    return "\n".join(lines) + "\n"


def raw_dataset_of(path: Path) -> Path | None:
    """The dataset in which a file of such a name lies in such a folder; None where it lies in none."""
    place, subject = absolute(path), subject_of(path)
    if subject is None or not _IMAGE.fullmatch(place.name):
        return None
    inner = Path(subject.folder, ANATOMICAL)
    return place.parents[len(inner.parts)] if place.parent.parts[-len(inner.parts) :] == inner.parts else None


def link_to(raw: Path, dataset: Path) -> str | None:
    """The way from a dataset up to one that it lies in, such as ``../..``; None where it doesn't, and a path would."""
    inside, place = absolute(raw), absolute(dataset)
    return "/".join([".."] * (len(place.parts) - len(inside.parts))) if inside in place.parents else None


def uri_of(path: Path, dataset: Path) -> str | None:
    """The BIDS URI of a file for a dataset: one in itself, or in the raw dataset that it lies in; None for others."""
    holder = raw_dataset_of(path)
    if holder is None:
        return None
    inner = absolute(path).relative_to(holder).as_posix()
    if holder == absolute(dataset):
        return f"bids::{inner}"
    return f"bids:raw:{inner}" if link_to(holder, dataset) is not None else None


def absolute(path: Path) -> Path:
    """The absolute path; links aren't followed, for data managers keep a file of another name behind each."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute leaves .. as it is
