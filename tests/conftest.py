"""What every test shares: a Hypothesis profile that gives the same examples on every machine."""

from hypothesis import settings

settings.register_profile("lazydiff", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("lazydiff")
