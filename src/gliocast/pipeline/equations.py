"""The growth equations that the command line knows by name, and numbers for their parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import DiffusionTensor, Grid, GrowthModel, InputError, Parameter
from gliocast.growth import FisherKolmogorov, MassEffect, ProliferativeNecrotic, TensorFisherKolmogorov

#: A tensor of one voxel: a model declares its parameters before a file with its tensor is read.
_NO_WATER = DiffusionTensor(np.zeros((6, 1, 1, 1), dtype=np.float32), Grid((1, 1, 1), np.eye(4)))


@dataclass(frozen=True)
class Equation:
    """A growth model by name.

    Args:
        name: as the command line writes it.
        title: as figures and records write it.
        build: makes the model from `diffusivity_ratio` and, where it needs a tensor, from `water` and `anisotropy`.
        needs_csf: whether fluid is more to it than a place without tissue.
        needs_tensor: whether it takes `water` and `anisotropy`, too.
    """

    name: str
    title: str
    build: Callable[..., GrowthModel]
    needs_csf: bool = False
    needs_tensor: bool = False

    def model(
        self, *, diffusivity_ratio: float = 10.0, water: DiffusionTensor = _NO_WATER, anisotropy: float = 1.0
    ) -> GrowthModel:
        """The model, its parameters still open.

        Args:
            diffusivity_ratio: diffusivity in white over gray matter [1].
            water: diffusion tensor of water, of a model that needs one.
            anisotropy: how much more anisotropic cells migrate than water [1], of the same.
        """
        options: dict[str, Any] = {"diffusivity_ratio": diffusivity_ratio}
        if self.needs_tensor:
            options |= {"water": water, "anisotropy": anisotropy}
        return self.build(**options)


_KNOWN = (
    Equation("fisher-kolmogorov", "Fisher-Kolmogorov growth", FisherKolmogorov),
    Equation("proliferative-necrotic", "Proliferative-necrotic growth", ProliferativeNecrotic),
    Equation("mass-effect", "Growth with mass effect", MassEffect, needs_csf=True),
    Equation("tensor", "Growth along fibers", TensorFisherKolmogorov, needs_tensor=True),
)

#: All of them, by name.
EQUATIONS = {equation.name: equation for equation in _KNOWN}

#: The command line gives the first two parameters of every model options of their own.
NUM_NAMED = 2


def find_equation(name: str) -> Equation:
    """The equation of a name; raises InputError where there is none."""
    if name not in EQUATIONS:
        raise InputError("model", expected=f"one of {', '.join(EQUATIONS)}", got=name, advice="pick one of these")
    return EQUATIONS[name]


def default_value(parameter: Parameter) -> float:
    """The middle of the typical range: the geometric mean of a positive parameter, the mean of any other."""
    low, high = parameter.typical
    positive = parameter.support.lower >= 0 and low > 0
    return float(np.sqrt(low * high)) if positive else (low + high) / 2


def parameter_values(
    model: GrowthModel, *, diffusivity: float, proliferation_rate: float, settings: Sequence[str]
) -> tuple[float, ...]:
    """A number for each of a model's parameters.

    Args:
        model: declares them; its first two are the next two arguments.
        diffusivity: in white matter [mm^2/d].
        proliferation_rate: of cells [1/d].
        settings: "name=value" for any other; what isn't named gets `default_value`.

    Raises:
        InputError: not of that form, an unknown name, a name twice, or a value outside the parameter's support.
    """
    others = {parameter.name: parameter for parameter in model.parameters[NUM_NAMED:]}
    given: dict[str, float] = {}
    for setting in settings:
        name, value = _split(setting, others)
        if name in given:
            raise InputError("--set", expected="every name once", got=f"{name} twice", advice="remove one of them")
        given[name] = value
    rest = (given.get(name, default_value(parameter)) for name, parameter in others.items())
    values = (diffusivity, proliferation_rate, *rest)
    for parameter, value in zip(model.parameters, values, strict=True):
        parameter.require_or_limit(value)
    return values


def _split(setting: str, known: dict[str, Parameter]) -> tuple[str, float]:
    name, equals, text = setting.partition("=")
    name = name.strip()
    if name not in known:
        listed = ", ".join(f"{p.name} [{p.unit}], typically {_range(p)}" for p in known.values())
        raise InputError(
            "--set",
            expected=f"one of {listed}" if known else "no setting, since this model has no further parameter",
            got=name if name.isprintable() else "another name",
            advice="use --diffusivity, --proliferation-rate and --diffusivity-ratio for what all models share",
        )
    try:
        return name, float(text) if equals else float("nan")
    except ValueError:
        parameter = known[name]
        raise InputError(
            "--set",
            expected=f"{name}=number, in {parameter.unit}",
            got=setting if setting.isprintable() else "something else",
            advice=f"typical values lie in {_range(parameter)}",
        ) from None


def describe_equation(name: str) -> list[str]:
    """Lines that list the parameters of a model: name, symbol, unit, default, typical range, source."""
    equation = find_equation(name)
    options = ("--diffusivity", "--proliferation-rate")
    lines = [f"{equation.name}: {equation.title}", f"models: {', '.join(EQUATIONS)}", ""]
    for number, parameter in enumerate(equation.model().parameters):
        low, high = parameter.support.lower, parameter.support.upper
        how = options[number] if number < NUM_NAMED else f"--set {parameter.name}={default_value(parameter):.3g}"
        lines += [
            f"{parameter.name} ({parameter.symbol}) [{parameter.unit}]",
            f"    option   {how}",
            f"    support  ({low:g}, {high:g})",
            f"    typical  {_range(parameter)}",
            f"    source   {parameter.source}",
        ]
    return lines


def _range(parameter: Parameter) -> str:
    return f"{parameter.typical[0]:g} to {parameter.typical[1]:g}"
