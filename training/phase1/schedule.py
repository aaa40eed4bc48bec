"""How the learning rate changes over a run."""

import math


def rate_factor(step: int, *, warmup_steps: int, progress: float) -> float:
    """Give what the highest learning rate is multiplied by.

    Args:
        step: Steps done.
        warmup_steps: Steps in which it rises in equal parts; the first step has one of them.
        progress: Share of the run that is done, 0 to 1; it falls with it by half a cosine to 0.
    """
    rising = min(1.0, (step + 1) / (warmup_steps + 1))
    return rising * 0.5 * (1 + math.cos(math.pi * progress))
