"""The methods of a report as text to cite, with references: only what was done for this patient."""

from collections.abc import Iterator

from gliocast.core import Posterior
from gliocast.planning import ESTRO_EANO_MARGIN_MM
from gliocast.report.content import ReportContent
from gliocast.report.outlook_words import is_pushing, voxel_text

SWANSON = (
    "Swanson KR, Alvord EC, Murray JD. A quantitative model for differential motility of gliomas in grey and white "
    "matter. Cell Prolif 33:317–329, 2000."
)
SUBRAMANIAN = (
    "Subramanian S, Gholami A, Biros G. Simulation of glioblastoma growth using a 3D multispecies tumor model with "
    "mass effect. J Math Biol 79:941–967, 2019."
)
FONOV = (
    "Fonov V, Evans AC, Botteron K, et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage "
    "54:313–327, 2011."
)
GREEDY = (
    "Yushkevich PA, Pluta J, Wang H, et al. Fast automatic segmentation of hippocampal subfields and medial temporal "
    "lobe subregions in 3 Tesla and 7 Tesla T2-weighted MRI. Alzheimers Dement 12:P126–P127, 2016."
)
MEYER = (
    "Meyer CD, Balsara DS, Aslam TD. A stabilized Runge–Kutta–Legendre method for explicit super-time-stepping of "
    "parabolic and mixed equations. J Comput Phys 257:594–626, 2014."
)
GELMAN = (
    "Gelman A, Meng XL, Stern H. Posterior predictive assessment of model fitness via realized discrepancies. Stat Sin "
    "6:733–807, 1996."
)
NIYAZI = (
    "Niyazi M, Andratschke N, Bendszus M, et al. ESTRO-EANO guideline on target delineation and radiotherapy details "
    "for glioblastoma. Radiother Oncol 184:109663, 2023."
)
ROCKNE = (
    "Rockne R, Rockhill JK, Mrugala M, et al. Predicting the efficacy of radiotherapy in individual glioblastoma "
    "patients in vivo: a mathematical modeling approach. Phys Med Biol 55:3271–3285, 2010."
)
STUPP = (
    "Stupp R, Mason WP, van den Bent MJ, et al. Radiotherapy plus concomitant and adjuvant temozolomide for "
    "glioblastoma. N Engl J Med 352:987–996, 2005."
)
ROA = (
    "Roa W, Brasher PMA, Bauman G, et al. Abbreviated course of radiation therapy in older patients with glioblastoma "
    "multiforme: a prospective randomized clinical trial. J Clin Oncol 22:1583–1588, 2004."
)
#: By the method's name on the command line, or how it begins.
INFERENCE = {
    "laplace": "MacKay DJC. Information theory, inference, and learning algorithms. Cambridge University Press, 2003.",
    "tmcmc": "Ching J, Chen YC. Transitional Markov chain Monte Carlo method for Bayesian model updating, model class "
    "selection, and model averaging. J Eng Mech 133:816–832, 2007.",
    "npe": "Greenberg D, Nonnenmacher M, Macke J. Automatic posterior transformation for likelihood-free inference. "
    "ICML, 2019.",
    "morph-infer": "Ezhov I, Scibilia K, Franitza K, et al. Learn-Morph-Infer: a new way of solving the inverse "
    "problem for brain tumor modeling. Med Image Anal 83:102672, 2023.",
}


def methods_text(content: ReportContent) -> tuple[list[str], list[str]]:
    """Sentences with numbers in brackets, and the references that these stand for."""
    references: list[str] = []

    def cite(*sources: str) -> str:
        references.extend(source for source in sources if source not in references)
        return f" [{', '.join(str(references.index(source) + 1) for source in sources)}]" if sources else ""

    steps = (
        _tissue(content),
        _growth(content),
        _inference(content),
        _check(content),
        _plan(content),
        _forecast(content),
        _software(content),
    )
    sentences = [f"{text}{cite(*sources)}." for step in steps for text, sources in step]
    return sentences, references


#: A sentence without its period, and what it rests on.
_Step = Iterator[tuple[str, tuple[str, ...]]]


def _tissue(content: ReportContent) -> _Step:
    atlas = content.provenance.get("anatomy", {}).get("atlas")
    if atlas:
        yield f"Tissue maps come from an atlas ({atlas})", (FONOV,)
        yield (
            "It was laid onto the T1, the lesion masked out, by affine and deformable registration (greedy)",
            (GREEDY,),
        )


def _growth(content: ReportContent) -> _Step:
    pushes = is_pushing(content)
    yield (
        "Tumor growth follows a reaction-diffusion equation with logistic proliferation and faster migration in white "
        "than in gray matter" + (", and it pushes the tissue aside" if pushes else ""),
        (SWANSON, SUBRAMANIAN) if pushes else (SWANSON,),
    )
    yield (
        "It is solved by finite volumes and Strang splitting, diffusion by a stabilized Runge–Kutta–Legendre scheme",
        (MEYER,),
    )


def _inference(content: ReportContent) -> _Step:
    posterior = content.posterior
    names = ", ".join(parameter.name.replace("_", " ") for parameter in posterior.parameters)
    method = content.method or posterior.method
    how = f"by {method}" if method else "as this page says"
    yield (
        f"Its parameters ({names}) were inferred from the segmented outlines {how}, {_samples(posterior)}",
        tuple(source for name, source in INFERENCE.items() if _name(content).startswith(name)),
    )


def _check(content: ReportContent) -> _Step:
    if content.check is not None:
        count = max((len(statistic.replicated) for statistic in content.check.statistics), default=0)
        yield f"The segmentation was ranked among {count} replicates that the fitted model draws", (GELMAN,)


def _plan(content: ReportContent) -> _Step:
    margin = content.plan.margin_mm
    guideline = margin == ESTRO_EANO_MARGIN_MM
    yield (
        f"The standard clinical target volume is the gross tumor volume + {margin:g} mm, cropped at "
        + content.cropped_at,
        (NIYAZI,) if guideline else (),
    )
    yield "The model's is the tissue of highest modeled density of exactly the same volume", ()


def _forecast(content: ReportContent) -> _Step:
    outlook = content.outlook
    if outlook is not None:
        pushes = ", without mass effect" if is_pushing(content) else ""
        yield (
            f"From the modeled density growth went on for {outlook.last_day:g} d on voxels of about "
            f"{voxel_text(outlook)}{pushes}, at an assumed speed of the front of {outlook.speed:g} mm/d, with no "
            "treatment and under surgery, courses of radiation and temozolomide",
            (STUPP, ROA),
        )
    if outlook is not None or content.effects:
        yield (
            "Radiation kills cells by the linear-quadratic model, with radiosensitivities over their typical range",
            (ROCKNE,),
        )


def _software(content: ReportContent) -> _Step:
    version = (content.provenance.get("versions") or {}).get("gliocast")
    yield "All was computed by gliocast" + (f" {version}" if version else "") + ", which is for research only", ()


def _samples(posterior: Posterior) -> str:
    return f"{len(posterior.samples)} posterior samples"


def _name(content: ReportContent) -> str:
    return str((content.provenance.get("method") or {}).get("name", ""))
