"""Where densities behind model plans come from: a fit to the planning visit, files, or a digital patient's truth."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gliocast import __version__
from gliocast.core import Anatomy, Density, InputError, Silence, Visit
from gliocast.data import content_key, file_hash, find_results, read_volume, whole_file, write_volume
from gliocast.data.folders import scans_folder
from gliocast.data.likeness import ALIKE
from gliocast.data.results import DENSITY
from gliocast.growth import Simulator
from gliocast.observation import misfit
from gliocast.pipeline.maps import require_cells, require_fractions
from gliocast.pipeline.methods import find_method
from gliocast.pipeline.patient_folders import TRUTH
from gliocast.pipeline.personalize import Options, fit_outlines, thresholds
from gliocast.pipeline.plan_origin import find_origin, fingerprints

#: The method that evaluates many patients unless one says otherwise: seconds for each.
QUICK_METHOD = "morph-infer-network"

#: Folder of fitted densities in that of an evaluation.
DENSITIES = "densities"


@dataclass(frozen=True)
class DensitySource:
    """Where densities come from; a fit unless files or the truth are asked for.

    Args:
        fit: how the growth model is fitted to the planning visit.
        file: name of a density in the folder of each planning visit; None for none.
        folder: folder with <patient>.nii.gz, or with what `gliocast run` writes of each <patient>, in either layout;
            None for none.
        truth: take the true density of digital patients: what no method can have, an upper bound.
    """

    fit: Options = field(default_factory=lambda: Options(method=QUICK_METHOD))
    file: str | None = None
    folder: Path | None = None
    truth: bool = False

    def __post_init__(self) -> None:
        if (self.file is not None) + (self.folder is not None) + self.truth > 1:
            raise InputError(
                "density", expected="one source", got="several", advice="give --density, --density-folder or --truth"
            )

    @property
    def is_fit(self) -> bool:
        """Whether the model is fitted here."""
        return self.file is None and self.folder is None and not self.truth

    @property
    def title(self) -> str:
        """For the reader."""
        if self.truth:
            return "TRUE density of digital patients (an upper bound: no method knows it)"
        if not self.is_fit:
            return "files"
        return f"{find_method(self.fit.method).title}, {self.fit.growth}"


def density_of(
    source: DensitySource, name: str, planning: Path, visit: Visit, anatomy: Anatomy | None, out: Path
) -> tuple[Density, list[str]]:
    """A patient's density on the grid of the planning visit, and what a reader should know of it.

    Args:
        source: where it comes from.
        name: of the patient.
        planning: folder of the planning visit.
        visit: what was read there.
        anatomy: tissue on its grid; only fits need it.
        out: folder of the evaluation, which keeps what was fitted.

    Raises:
        InputError: there is no such file, or it is no density of this visit.
        GliocastError: as the fit raises.
    """
    if source.is_fit:
        assert anatomy is not None  # the caller estimates it for a fit
        return _fitted(source.fit, name, visit, anatomy, out / DENSITIES)
    if source.truth:
        candidates = [planning / TRUTH / DENSITY]
    elif source.file is not None:
        candidates = [planning / source.file, scans_folder(planning) / source.file]
    else:
        assert source.folder is not None
        places = [source.folder / known for known in (name, planning.name)]
        files = [Path(f"{place}.nii.gz") for place in places]
        session = source.folder / name / planning.name
        if session.is_dir():
            places = [session]
        candidates = [*files, *(find_results(place).path(DENSITY) for place in places)]
    path = _find(candidates)
    density = _read(path, visit)
    return density, [] if source.truth else _notes_on_origin(path, visit)


def _notes_on_origin(path: Path, visit: Visit) -> list[str]:
    """Nothing where a density was found from the scans of a visit; a word where its file doesn't say of which.

    Raises:
        InputError: it was found from scans that look like none of these.
    """
    alike = find_origin(path).likeness(fingerprints(visit))
    if alike is None:
        return ["the density's file doesn't say from which scans it was found"]
    if alike < ALIKE:
        raise InputError(
            "density",
            expected="one that was found from the scans of this visit",
            got=f"scans that look like none of them (correlation {alike:.2f}; theirs is above {ALIKE:g})",
            advice="check which patient the folder belongs to",
        )
    return []


def _find(candidates: Sequence[Path]) -> Path:
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise InputError(
            "density",
            expected=f"a file {candidates[0].name}",
            got="none",
            advice="write it first, or leave it to a method",
        )
    return path


def _read(path: Path, visit: Visit) -> Density:
    """A density on the grid of a visit, with cells where its tumor is.

    Raises:
        InputError: it isn't.
    """
    volume = read_volume(path, "density")
    require_fractions(volume, "density")
    visit.grid.require_same(volume.grid, "density")
    require_cells(volume, visit.labels)
    return Density(volume.data, volume.grid)


def _fitted(options: Options, name: str, visit: Visit, anatomy: Anatomy, folder: Path) -> tuple[Density, list[str]]:
    """The density that was fitted before to the same scans in the same way, or a new one, which is kept."""
    image, record = folder / f"{name}.nii.gz", folder / f"{name}.json"
    key = _key(options, visit)
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["key"] == key:
            return _read(image, visit), [known["note"]]
    except (OSError, ValueError, KeyError, TypeError, InputError):
        pass  # absent, damaged or another's: made anew
    density, content = _fit(options, visit, anatomy)
    with whole_file(image) as path:
        write_volume(path, density.data, density.grid)
    with whole_file(record) as path:  # last: what it describes is there
        path.write_text(json.dumps({"key": key, **content}, indent=2) + "\n", encoding="utf-8")
    return density, [content["note"]]


def _key(options: Options, visit: Visit) -> str:
    """Of all that a fit depends on."""
    settings = {name: value for name, value in asdict(options).items() if name not in ("margin_mm", "resume")}
    paths = [*(scan.path for scan in visit.scans.values()), visit.labels.path]
    hashes = [file_hash(path) for path in paths if path is not None]
    return content_key(__version__, json.dumps(settings, sort_keys=True), visit.labels.schema.name, *hashes)


def _fit(options: Options, visit: Visit, anatomy: Anatomy) -> tuple[Density, dict[str, Any]]:
    """Density at the posterior mode at the scan's resolution, and what it was made with."""
    simulator = Simulator(options.model)
    _, found = fit_outlines(visit, anatomy, simulator, options, monitor=Silence())
    forward = options.single_scan(simulator)
    (density,) = forward(found.posterior.mode[: len(forward.parameters)], anatomy, days=[1.0])
    left = misfit(visit.labels, density.data, *thresholds(found.posterior))
    core = "" if left.core_dice is None else f"core {left.core_dice:.2f}, "
    estimate = {p.name: float(x) for p, x in zip(found.posterior.parameters, found.posterior.mode, strict=True)}
    found.forget()
    return density, {
        "method": found.record(),
        "growth": options.growth,
        "parameters": estimate,
        "note": f"fitted outlines, Dice: {core}whole tumor {left.whole_dice:.2f}",
    }
