"""Results by plain names, such as ``density.nii.gz``, in a folder of either layout: gliocast's own or BIDS derivatives.

Whoever writes or reads a result asks here where it lies. A plain folder holds files by their plain names. In a BIDS
dataset the folder of a subject or session holds images in ``anat`` by the names of `gliocast.data.bids`, with sidecars,
and beside it other files with the subject before their name: ``sub-01_plan.json``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gliocast import __version__
from gliocast.core import RESEARCH_NOTICE, InputError, LabelSchema
from gliocast.data.bids import (
    ANATOMICAL,
    BIDS_VERSION,
    Subject,
    absolute,
    image_sidecar,
    kind_of,
    link_to,
    lookup_table,
    plain_of,
    raw_dataset_of,
    subject_of,
    uri_of,
)
from gliocast.data.folders import MAX_NAMES, printable
from gliocast.data.outputs import whole_folder
from gliocast.data.tables import read_table, write_json

#: Plain names of what a run writes: density at the mode, parameters, plan, provenance, posterior, page, the page's
#: verdict, and the folder of its figures.
DENSITY, PARAMETERS, PLAN, PROVENANCE = "density.nii.gz", "parameters.json", "plan.json", "provenance.json"
POSTERIOR, PAGE, VERDICT, FIGURES = "posterior.nc", "report.html", "verdict.json", "figures"

#: What a BIDS dataset says of itself.
DESCRIPTION = "dataset_description.json"

_ENDING = ".nii.gz"

#: Patterns of files that the specification doesn't know, for validators.
_IGNORED = (
    FIGURES,  # with a slash, the official validator takes the folder itself amiss
    "cohort.*",
    "*_density.nii.gz",
    "*_density.json",
    f"*_{PARAMETERS}",
    f"*_{PLAN}",
    f"*_{POSTERIOR}",
    f"*_{PROVENANCE}",
    f"*_{PAGE}",
    "*_report.npz",
    f"*_{VERDICT}",
)

_README = f"""# Results of gliocast

{RESEARCH_NOTICE}

Tumor-cell density, target volumes and tissue of glioma patients, as BIDS derivatives. Every image lies on the grid of
the subject's T1-weighted scan (`space-orig`); its JSON file says what it is.

Masks, tissue probabilities and segmentations have names of the specification. The suffix `density` is gliocast's own:
a density of tumor cells as a fraction of carrying capacity, 0 to 1. Beside `anat` lie the report with its figures, the
posterior, and JSON files with parameters, plan and provenance; docs/outputs.md of gliocast describes them.
"""


@dataclass(frozen=True)
class Results:
    """A folder of results, in gliocast's own layout.

    Args:
        folder: that holds them.
    """

    folder: Path

    def path(self, plain: str) -> Path:
        """Where a file lies, or will lie, by its plain name; a name with a folder, such as ``figures/ctv.png``, too."""
        return self.folder / self.name(plain)

    def name(self, plain: str) -> str:
        """The path of a file in the folder, by its plain name."""
        return plain

    def plain(self, name: str) -> str | None:
        """The plain name of a file directly among these results; None for any other."""
        return name if Path(name).name == name else None

    def images(self) -> list[str]:
        """Plain names of the NIfTI images that are there, in their order."""
        return self._images_in("")

    def describe(
        self, images: Iterable[str], *, inputs: Mapping[str, Path | None], schema: LabelSchema | None = None
    ) -> None:
        """Write what the layout wants beside images that were written.

        Args:
            images: plain names.
            inputs: files that they were made of, by modality or plain name without ending.
            schema: of a segmentation among them.
        """

    def _images_in(self, place: str) -> list[str]:
        names = (f"{place}{path.name}" for path in (self.folder / place).iterdir() if path.name.endswith(_ENDING))
        return sorted(plain for name in names if (plain := self.plain(name)) is not None)


@dataclass(frozen=True)
class BidsResults(Results):
    """Results of a subject or session in a BIDS derivatives dataset.

    Args:
        subject: whose they are.
        dataset: folder of the dataset, where it will lie.
    """

    subject: Subject
    dataset: Path

    def name(self, plain: str) -> str:
        """As `Results.name`; raises ValueError for an image that has no name in BIDS."""
        if "/" in plain:
            return plain
        if not plain.endswith(_ENDING):
            return f"{self.subject.stem}_{plain}"
        kind = kind_of(plain.removesuffix(_ENDING))
        if kind is None:
            raise ValueError(f"{plain} has no name in BIDS")
        return f"{ANATOMICAL}/{self.subject.stem}{kind.ending}"

    def plain(self, name: str) -> str | None:
        """As `Results.plain`."""
        head, pattern = re.escape(self.subject.stem), r"_space-orig_(.+)_([A-Za-z0-9]+)\.nii\.gz"
        if match := re.fullmatch(f"{ANATOMICAL}/{head}{pattern}", name):
            plain = plain_of(*match.groups())
            return None if plain is None else f"{plain}{_ENDING}"
        match = re.fullmatch(rf"{head}_(\w+\.\w+)", name)
        return match[1] if match else None

    def images(self) -> list[str]:
        """As `Results.images`."""
        return self._images_in(f"{ANATOMICAL}/") if (self.folder / ANATOMICAL).is_dir() else []

    def describe(
        self, images: Iterable[str], *, inputs: Mapping[str, Path | None], schema: LabelSchema | None = None
    ) -> None:
        """As `Results.describe`: a JSON file for each image, and a table of labels for a segmentation."""
        images = list(images)
        uris = {name: uri_of(path, self.dataset) for name, path in inputs.items() if path is not None}
        ours = f"bids::{self.subject.folder}"
        uris |= {plain.removesuffix(_ENDING): f"{ours}/{self.name(plain)}" for plain in images}
        for plain in images:
            kind = kind_of(plain.removesuffix(_ENDING))
            assert kind is not None  # it has a name
            made_of = [uri for source in kind.sources if (uri := uris.get(source)) is not None]
            content = image_sidecar(kind, reference=uris.get("t1"), sources=made_of)
            write_json(self._beside(plain, ".json"), content)
            if kind.suffix == "dseg" and schema is not None:
                self._beside(plain, ".tsv").write_text(lookup_table(schema), encoding="utf-8")

    def _beside(self, plain: str, ending: str) -> Path:
        path = self.path(plain)
        return path.with_name(path.name.removesuffix(_ENDING) + ending)


def lay_out(out: Path, subject: Subject | None) -> Results:
    """Where results will lie: in a folder as they are, or as those of a subject in a BIDS dataset."""
    return Results(out) if subject is None else BidsResults(out / subject.folder, subject, out)


@contextmanager
def whole_results(
    out: Path, subject: Subject | None = None, *, inputs: Iterable[Path | None] = ()
) -> Iterator[Results]:
    """Write results as a whole, as `whole_folder` does: yields a temporary place in the wanted layout.

    Other subjects and sessions of a BIDS dataset that is there stay, and so does what it says of itself but for the
    version of gliocast, which is added.

    Args:
        out: folder to write.
        subject: whose results a BIDS dataset gets; None for gliocast's own layout.
        inputs: files that results are made of; a raw dataset around `out` that holds them is linked to.

    Raises:
        InputError: as `whole_folder` and `require_room`; the latter at the end, too, if another run was quicker.
    """
    require_room(out, subject)
    known = _known_description(out) if subject is not None else {}
    with whole_folder(out) as stage:
        results = lay_out(stage, subject)
        if isinstance(results, BidsResults):
            results = replace(results, dataset=out)
            (results.folder / ANATOMICAL).mkdir(parents=True)
            holders = [raw_dataset_of(path) for path in inputs if path is not None]
            links = {link for holder in holders if holder is not None and (link := link_to(holder, out)) is not None}
            _write_dataset(stage, out, known, link=max(links, default=None))
        yield results
        require_room(out, subject)


def require_room(out: Path, subject: Subject | None) -> None:
    """Raise InputError where a subject's results have no place to go: to be asked before they are made.

    Args:
        out: folder to write.
        subject: whose results a BIDS dataset gets; None for gliocast's own layout, for which there is always room.

    Raises:
        InputError: `out` is a dataset of something else or can't be read, or it has results of the subject already, of
            whichever session, and the subject's label is but assumed.
    """
    if subject is None:
        return
    _known_description(out)
    name = f"sub-{subject.label}"
    with _readable(out):
        taken = subject.assumed and (out / name).exists()
    if taken:
        raise InputError(
            "subject",
            expected=f"a label, for there are results of {name} already",
            got="none",
            advice=f"say whose these are with --subject, {subject.label} for the same patient again",
        )


def find_results(place: Path) -> Results:
    """Results in a folder of either layout.

    Args:
        place: folder that gliocast wrote: a plain one, a BIDS dataset with one subject and session, or that of one,
            or its images'. A subject with results of its own has those, whatever its sessions have.

    Raises:
        InputError: a dataset of which several have results, or a subject without its own of which several sessions
            have; or a folder can't be read.
    """
    place = absolute(place)
    with _readable(place):
        if (place / DESCRIPTION).is_file():
            return _only([inner for folder in _labeled(place, "sub") for inner in _sessions(folder)], place, place)
        folder = place.parent if place.name == ANATOMICAL else place
        subject = subject_of(folder / ANATOMICAL)
        if subject is not None:
            root = folder.parents[subject.folder.count("/")]
            if (root / DESCRIPTION).is_file():
                own = (folder / ANATOMICAL).is_dir() or folder != place
                return BidsResults(folder, subject, root) if own else _only(_sessions(folder), root, folder)
    return Results(place)


def folders_of_results(place: Path) -> list[Path]:
    """Folders in a folder, by name, hidden ones left out; in a BIDS dataset those of subjects and sessions.

    Raises:
        InputError: there is none, or it can't be read.
    """
    with _readable(place):
        if (place / DESCRIPTION).is_file():
            return [inner for folder in _labeled(place, "sub") for inner in _sessions(folder) or [folder]]
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


@contextmanager
def _readable(place: Path) -> Iterator[None]:
    """Turn the operating system's refusal to look into a folder into advice."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"folder {printable(place.name or str(place))}",
            expected="a folder of results",
            got=printable(error.strerror or str(error)),
            advice="check the path and its permissions",
        ) from error


def _only(found: list[Path], root: Path, place: Path) -> Results:
    """The results of the one subject and session in a place; without any, whatever lies in the place itself."""
    if not found:
        return Results(place)
    if len(found) > 1:
        names = [path.relative_to(root).as_posix() for path in found]
        raise InputError(
            f"folder {printable(place.name or str(place))}",
            expected="the results of one subject and session",
            got=", ".join(names[:MAX_NAMES]) + (" and more" if len(names) > MAX_NAMES else ""),
            advice=f"name the folder of one, such as {printable(root.name)}/{names[0]}",
        )
    (folder,) = found
    subject = subject_of(folder / ANATOMICAL)
    assert subject is not None  # it was found by its name
    return BidsResults(folder, subject, root)


def _labeled(folder: Path, entity: str) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and re.fullmatch(rf"{entity}-[A-Za-z0-9]+", p.name))


def _sessions(folder: Path) -> list[Path]:
    """Folders of a subject that hold results: its own, and those of its sessions."""
    places = [folder, *_labeled(folder, "ses")] if folder.is_dir() else []
    return [place for place in places if (place / ANATOMICAL).is_dir()]


def _known_description(out: Path) -> dict[str, Any]:
    """What a dataset says of itself, in which results may lie; nothing where there is none."""
    path = out / DESCRIPTION
    with _readable(out):
        if not path.is_file():
            return {}
        try:
            content = read_table(path)
            derived = content["DatasetType"] == "derivative"
            makers = [maker["Name"] for maker in content["GeneratedBy"]] if derived else []
        except (KeyError, TypeError, ValueError):
            makers = []
    if "gliocast" not in makers:
        raise InputError(
            f"output {printable(out.name)}",
            expected="a new folder, or the derivatives dataset of an earlier run",
            got="another dataset",
            advice="write into a folder of its own, such as derivatives/gliocast",
        )
    return content


def _write_dataset(stage: Path, out: Path, known: Mapping[str, Any], *, link: str | None) -> None:
    """Write what a dataset says of itself, as far as it doesn't say so already."""
    content = dict(known) or {
        "notice": RESEARCH_NOTICE,
        "Name": "Results of gliocast",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [],
    }
    maker = {"Name": "gliocast", "Version": __version__}
    if not any(maker.items() <= entry.items() for entry in content["GeneratedBy"]):
        content["GeneratedBy"] = [*content["GeneratedBy"], maker]
    if link is not None:
        content["DatasetLinks"] = {**content.get("DatasetLinks", {}), "raw": link}
    if content != known:
        write_json(stage / DESCRIPTION, content)
    if not (out / ".bidsignore").exists():
        (stage / ".bidsignore").write_text("\n".join(_IGNORED) + "\n", encoding="utf-8")
    if not any(out.glob("README*")):
        (stage / "README.md").write_text(_README, encoding="utf-8")
