"""How hard the properties are tried: HYPOTHESIS_PROFILE=thorough for a long run."""

import os

from hypothesis import HealthCheck, Phase, settings

UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large)
"""The machine may be busy."""

settings.register_profile("moderate", deadline=None, suppress_health_check=UNHURRIED, print_blob=True)
settings.register_profile(
    "thorough", deadline=None, suppress_health_check=UNHURRIED, print_blob=True, max_examples=2000, stateful_step_count=80
)
settings.register_profile(
    "unshrunk", deadline=None, suppress_health_check=UNHURRIED, print_blob=True, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "moderate"))
