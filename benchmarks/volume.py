"""Time against the size of the tumor, 1 to 200 cm^3, in a whole head at 1 mm."""

from pathlib import Path

import numpy as np
from benchmarks.bench import SEED_MM, Bench, clock, line, table
from benchmarks.forward import sweep

from gliocast.growth import Simulator, VolumeReached

#: What a scan would show of the tumor [cm^3].
_VOLUMES = 1, 2, 5, 10, 20, 50, 100, 200

#: Cells that stay together: a front sqrt(D_w / rho) of 1.4 mm, so that what shows is most of the tumor.
_DIFFUSIVITY, _RATE = 0.1, 0.05


def run(bench: Bench) -> None:
    print(
        f"\n## Time against the tumor's volume\n\nWhole head at 1 mm, D_w {_DIFFUSIVITY:g} mm^2/d, rho {_RATE:g} /d\n"
    )
    simulator, values = Simulator(), (_DIFFUSIVITY, _RATE, *SEED_MM)
    table("visible, cm^3", "after, d", "voxel updates", "seconds", "ns per update")
    updates, seconds = [], []
    for volume in _VOLUMES:
        reached = simulator.until(values, bench.head, VolumeReached(1e3 * volume))
        days = [reached.density.day]
        time = clock(lambda at=days: simulator(values, bench.head, days=at), bench.repeats)
        updates.append(sweep(simulator, values, bench.head, days[0]).num_updates)
        seconds.append(time.median)
        each = time.median / updates[-1] * 1e9
        line(volume, f"{days[0]:.0f}", f"{updates[-1] / 1e6:.1f}e6", f"{time.median:.3f}", f"{each:.2f}")
    slope, offset = np.polyfit(updates, seconds, 1, w=1 / np.array(seconds))
    print(f"\nseconds = {offset:.3f} + {slope * 1e9:.2f}e-9 per voxel update (least squares of relative residuals)")
    worst = np.abs(offset + slope * np.array(updates) - seconds) / seconds
    bench.figure(
        "200 cm^3 beside 5 cm^3",
        f"{seconds[-1] / seconds[2]:.1f}x the time",
        f"{updates[-1] / updates[2]:.1f}x the updates",
        f"{(seconds[-1] / seconds[2]) / (updates[-1] / updates[2]):.2f}",
        f"a straight line; farthest {worst.max():.0%} off",
    )
    _draw(np.array(updates), np.array(seconds), offset, slope)


def _draw(updates: np.ndarray, seconds: np.ndarray, offset: float, slope: float) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullLocator

    style = {
        "font.size": 9,
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
    }
    with plt.rc_context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 2.7), layout="constrained")
        left.loglog(_VOLUMES, seconds, "o-", color="#0b3c5d", markersize=4, linewidth=1.2)
        left.set(xlabel="visible volume [cm³]", ylabel="time of a solve [s]")
        x = np.geomspace(updates.min() * 0.8, updates.max() * 1.2)
        right.loglog(x / 1e6, offset + slope * x, "-", color="#b0b0b0", linewidth=1.2, zorder=1)
        right.loglog(updates / 1e6, seconds, "o", color="#0b3c5d", markersize=4)
        right.annotate(f"{1e9 * slope:.1f} ns per update", (0.05, 0.9), xycoords="axes fraction", color="#606060")
        right.set(xlabel="voxel updates [millions]", ylabel="time of a solve [s]")
        right.sharey(left)
        for axes in (left, right):
            axes.grid(which="major", color="#e6e6e6", linewidth=0.6)
            axes.set_axisbelow(True)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")
                axis.set_minor_locator(NullLocator())
        path = Path(__file__).parents[1] / "docs" / "images" / "time-against-volume.png"
        figure.savefig(path, dpi=200)
        plt.close(figure)
    print(f"figure in {path.relative_to(Path(__file__).parents[1])}")
