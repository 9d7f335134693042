"""What every output says."""

RESEARCH_NOTICE = (
    "For research only. Not a medical device; not for diagnosis, treatment planning or other clinical use."
)
