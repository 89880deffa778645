"""How hard the properties are tried: HYPOTHESIS_PROFILE=thorough for a long run, quick for coverage."""

import os

from hypothesis import HealthCheck, Phase, settings

# No deadline and no complaint about slowness: the machine may be busy.
unhurried = settings(
    deadline=None, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large), print_blob=True
)
settings.register_profile("moderate", unhurried, stateful_step_count=25)
settings.register_profile("quick", unhurried, max_examples=10, stateful_step_count=10)
settings.register_profile("thorough", unhurried, max_examples=2000, stateful_step_count=80)
settings.register_profile("unshrunk", unhurried, stateful_step_count=25, phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "moderate"))
