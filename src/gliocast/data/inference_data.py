"""Posteriors as NetCDF4 files in the layout of ArviZ's InferenceData.

Groups ``posterior`` and ``prior`` hold one variable per parameter over (chain, draw), with its unit, symbol, support
and mode as attributes; ``sample_stats`` the log-density ``lp`` of each draw. Chains know no weights: where the samples
have unequal ones, ``posterior`` holds as many draws resampled to equal weights, so that every tool reads it
aright, and the group ``particles`` the samples with their weights. ``stages`` holds what went on from stage to stage,
``diagnostics`` single figures. ArviZ itself isn't needed, neither to write nor to read.

The schema also asks for the time of creation, which is left out: the same run writes the same bytes.

Source: ArviZ, InferenceData schema specification.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE, InputError, Parameter, Posterior
from gliocast.core.parameter import Support

if TYPE_CHECKING:
    import h5netcdf

#: Says that a file is ours and which arrangement it has.
LAYOUT, LAYOUT_VERSION = "gliocast_layout", 1

#: Bytes that a posterior never reaches [B]: a larger file isn't one.
MAX_BYTES = 2**31


def write_posterior(
    path: Path, posterior: Posterior, *, prior_samples: np.ndarray | None = None, seed: int | None = None
) -> None:
    """Write a posterior as one file, the same bytes each time.

    Args:
        path: of the file.
        posterior: what was inferred.
        prior_samples: draws of the prior, (num_draws, num_parameters), natural units; None for a file without.
        seed: of the random generator, None where it isn't known.
    """
    import h5netcdf  # with h5py a quarter of a second that nothing else needs

    num_samples = len(posterior.samples)
    weighted = not np.allclose(posterior.weights, 1 / num_samples, rtol=1e-9, atol=0)
    rows = posterior.drawn_rows(num_samples) if weighted else np.arange(num_samples)
    with h5netcdf.File(path, "w") as file:
        file.attrs.update(_about(posterior, seed))
        _write_draws(file, "posterior", posterior, posterior.samples[rows])
        stats = _new_group(file, "sample_stats", {"chain": 1, "draw": num_samples})
        _put(stats, "lp", ("chain", "draw"), posterior.log_densities[rows][None], long_name="unnormalized log-density")
        if prior_samples is not None:
            _write_draws(file, "prior", posterior, prior_samples)
        if weighted:
            group = _new_group(file, "particles", {"particle": num_samples})
            columns = dict(zip(_names(posterior), posterior.samples.T, strict=True))
            for name, data in {**columns, "weight": posterior.weights, "lp": posterior.log_densities}.items():
                _put(group, name, ("particle",), data)
        if posterior.stages:
            group = _new_group(file, "stages", {"stage": len(next(iter(posterior.stages.values())))})
            for name, data in posterior.stages.items():
                _put(group, name, ("stage",), np.asarray(data, dtype=float))
        group = file.create_group("diagnostics")
        for name, value in posterior.diagnostics.items():
            _put(group, name, (), np.array(value, dtype=float))


def read_posterior(path: Path | str) -> Posterior:
    """The posterior of a file that `write_posterior` wrote; no code of the file is run.

    Raises:
        InputError: there is no such file, it isn't one of these, or something of it is missing or out of range.
    """
    import h5netcdf

    path = Path(path)
    subject = f"posterior {path.name if path.name.isprintable() else 'file'}"
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise _unfit(subject, "no file of that size and name")
        with h5netcdf.File(path, "r") as file:
            if file.attrs.get(LAYOUT) != LAYOUT_VERSION:
                raise _unfit(subject, "a file from elsewhere")
            posterior = _read(file)
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError) as error:
        raise _unfit(subject, f"a damaged one ({type(error).__name__})") from error
    _require_sound(posterior, subject)
    return posterior


def _about(posterior: Posterior, seed: int | None) -> dict[str, Any]:
    """Attributes of the whole file."""
    about: dict[str, Any] = {
        **_library(),
        LAYOUT: LAYOUT_VERSION,
        "notice": RESEARCH_NOTICE,
        "method": posterior.method,
        "effective_sample_size": posterior.effective_sample_size,
    }
    if seed is not None:
        about["seed"] = seed
    if posterior.log_evidence is not None:
        about["log_evidence"] = posterior.log_evidence
    return about


def _library() -> dict[str, str]:
    """What the schema wants to know of every group."""
    return {"inference_library": "gliocast", "inference_library_version": version("gliocast")}


def _names(posterior: Posterior) -> list[str]:
    return [parameter.name for parameter in posterior.parameters]


def _new_group(file: "h5netcdf.File", name: str, dimensions: Mapping[str, int]) -> "h5netcdf.Group":
    """A group whose dimensions count from zero."""
    group = file.create_group(name)
    group.attrs.update(_library())
    group.dimensions = dict(dimensions)
    for dimension, length in dimensions.items():
        _put(group, dimension, (dimension,), np.arange(length))
    return group


def _put(group: "h5netcdf.Group", name: str, dimensions: tuple[str, ...], data: np.ndarray, **attributes: Any) -> None:
    variable = group.create_variable(name, dimensions, data=data)
    variable.attrs.update(attributes)


def _write_draws(file: "h5netcdf.File", name: str, posterior: Posterior, draws: np.ndarray) -> None:
    """One variable per parameter, in one chain."""
    group = _new_group(file, name, {"chain": 1, "draw": len(draws)})
    group.attrs["parameters"] = " ".join(_names(posterior))
    for column, parameter in enumerate(posterior.parameters):
        _put(
            group,
            parameter.name,
            ("chain", "draw"),
            draws[None, :, column],
            units=parameter.unit,
            symbol=parameter.symbol,
            support=np.array([parameter.support.lower, parameter.support.upper]),
            typical=np.array(parameter.typical, dtype=float),
            source=parameter.source,
            mode=float(posterior.mode[column]),
        )


def _read(file: "h5netcdf.File") -> Posterior:
    group = file["posterior"]
    names = str(group.attrs["parameters"]).split()
    parameters = tuple(_read_parameter(name, group[name].attrs) for name in names)
    if "particles" in file.groups:
        samples, weights, lp = file["particles"], file["particles"]["weight"][...], file["particles"]["lp"][...]
        columns = [samples[name][...] for name in names]
    else:
        columns, lp = [group[name][0] for name in names], file["sample_stats"]["lp"][0]
        weights = np.full(len(lp), 1 / len(lp))
    evidence = file.attrs.get("log_evidence")
    return Posterior(
        parameters=parameters,
        samples=np.stack(columns, axis=1),
        weights=weights,
        log_densities=lp,
        mode=np.array([float(group[name].attrs["mode"]) for name in names]),
        diagnostics={name: float(entry[...]) for name, entry in file["diagnostics"].variables.items()},
        method=str(file.attrs["method"]),
        log_evidence=None if evidence is None else float(evidence),
        stages={
            name: entry[...] for name, entry in getattr(file.get("stages"), "variables", {}).items() if name != "stage"
        },
    )


def _read_parameter(name: str, attributes: Mapping[str, Any]) -> Parameter:
    lower, upper = (float(end) for end in attributes["support"])
    low, high = (float(end) for end in attributes["typical"])
    symbol, unit = str(attributes["symbol"]), str(attributes["units"])
    return Parameter(name, symbol, unit, Support(lower, upper), (low, high), str(attributes["source"]))


def _require_sound(posterior: Posterior, subject: str) -> None:
    """Raise InputError unless every number is one that inference could have written."""
    numbers = (posterior.samples, posterior.weights, posterior.mode)
    inside = all(
        bool(np.all(p.support.contains(x) | np.isin(x, (p.support.lower, p.support.upper))))
        for p, x in zip(posterior.parameters, posterior.samples.T, strict=True)
    )
    if not all(np.isfinite(part).all() for part in numbers) or (posterior.weights < 0).any() or not inside:
        raise _unfit(subject, "numbers out of range")


def _unfit(subject: str, got: str) -> InputError:
    return InputError(
        subject, expected="a posterior.nc of gliocast", got=got, advice="write it again with `gliocast run`"
    )
