"""When does which estimator win? Closed forms of variances, by idea; docs/open-question.md tells
the story and says of each what is proved, what is computed and what is conjectured."""

from toy_problems.theory import criterion, families, mixtures, sac, two_modes
from toy_problems.theory.criterion import *  # noqa: F403
from toy_problems.theory.families import *  # noqa: F403
from toy_problems.theory.mixtures import *  # noqa: F403
from toy_problems.theory.sac import *  # noqa: F403
from toy_problems.theory.two_modes import *  # noqa: F403

__all__ = [
    *criterion.__all__,
    *families.__all__,
    *mixtures.__all__,
    *sac.__all__,
    *two_modes.__all__,
]
