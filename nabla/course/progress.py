"""What a reader has done, kept across sessions: one small file in the user's state folder.

{"score_term": {"done": true, "hints": 2}, …}: an exercise once done stays done; hints counts those
that were shown. NABLA_COURSE names another file.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from estimators.files import write_atomically
from nabla.course.engine.feedback import Feedback


@dataclass(frozen=True)
class Done:
    """Of one exercise."""

    done: bool = False
    hints: int = 0


def place() -> Path:
    """$NABLA_COURSE, or nabla/course.json in $XDG_STATE_HOME (~/.local/state)."""
    if named := os.environ.get("NABLA_COURSE"):
        return Path(named)
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "nabla" / "course.json"


def known() -> dict[str, Done]:
    """What the file says, by exercise; nothing if there is none. ValueError if it is not one."""
    path = place()
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
        return {str(name): Done(bool(x["done"]), int(x["hints"])) for name, x in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a record of progress ({type(error).__name__}): it is left as it is; "
            "move it away to begin a new one"
        ) from error


def record(feedback: Feedback) -> None:
    """Add what was said to an answer; nothing for one that is still to do. OSError or ValueError
    if it cannot be kept."""
    if feedback.step == feedback.steps[0]:
        return
    every = known()
    before = every.get(feedback.name, Done())
    done = before.done or feedback.step == feedback.steps[-1]
    every[feedback.name] = Done(done, before.hints + bool(feedback.hint))
    text = json.dumps({name: asdict(each) for name, each in every.items()}, indent=1)
    write_atomically(place(), text + "\n")
