"""The course, a row for each notebook. The landing page's ways in, table and map are made of it."""

from dataclasses import dataclass

WAYS = {  # name of a way in: (who says so, how long it takes, what it leads to)
    "misbehaves": (
        "My SAC misbehaves",
        "one day",
        "Which line of the loss is wrong, how to see it, and how to test that it stays right.",
    ),
    "study": (
        "I study reinforcement learning",
        "a week",
        "From values to Soft Actor-Critic on MuJoCo, formulas derived and numbers checked.",
    ),
    "open": (
        "I want the open question",
        "two days",
        "When does nabla-log beat the reparameterization trick? What is proved, what was measured.",
    ),
}


@dataclass(frozen=True)
class Notebook:
    """minutes: to read; `with_exercises`: in all. needs: notebooks, by number; assumes: besides.
    short: for the map, where the title is too long for it."""

    file: str
    title: str
    question: str
    minutes: int
    with_exercises: int
    needs: str = ""
    ways: str = ""
    assumes: str = ""
    short: str = ""

    @property
    def number(self) -> str:
        return self.file[:2]


COURSE = (
    Notebook("00_tour", "A tour", "What does an estimate tell, and how far is it off?",
             15, 25, ways="study", assumes="a little probability, a little Python"),
    Notebook("01_values", "Values", "What is it worth to be somewhere, and how is that learned?",
             30, 60, ways="study", assumes="means and conditional probabilities"),
    Notebook("02_policy_gradients", "Policy gradients",
             "Where should a policy move, if all one has is walks?", 30, 60, "01", "study"),
    Notebook("03_from_kl_to_loss", "From a divergence to a loss",
             "Where does SAC's loss come from, and what does it want?", 30, 60, "01", "study",
             short="From KL to a loss"),
    Notebook("04_reparameterization", "Reparameterization",
             "When may the gradient move inside the mean?", 25, 60, "02 03", "study"),
    Notebook("05_eq13_term_by_term", "Eq. 13, term by term",
             "Where does the first term come from, and is it needed?",
             30, 60, "03 04", "misbehaves study open",
             short="Eq. 13"),
    Notebook("06_nabla_log", "Nabla-log: the other way to the same gradient",
             "What may one subtract from the cost, and what makes it wrong?",
             25, 50, "03 05", "study",
             short="Nabla-log"),
    Notebook("07_variance_shootout", "The variance shoot-out",
             "Which estimator is the quieter one, where, and is that a theorem?",
             30, 60, "05 06", "study open",
             short="Shoot-out"),
    Notebook("08_mixtures", "Mixtures", "Where does the gradient of the weights come from?",
             30, 90, "04 06 07", "study open"),
    Notebook("09_squashing_and_numbers", "Squashing, and numbers that survive it",
             "What do tanh and float32 break, and what does an entropy of −1 mean?",
             30, 60, "03 05", "misbehaves study",
             short="Squashing"),
    Notebook("10_sac_assembled", "SAC assembled",
             "What does each part of Soft Actor-Critic do, and why is it there?",
             30, 60, "01 03 05 09", "study"),
    Notebook("11_open_question_in_practice", "The open question in practice",
             "Which estimator varies least inside a trained SAC, and does it matter?",
             25, 45, "07 10", "open",
             short="In practice"),
    Notebook("12_bring_your_own", "Bring your own",
             "Is the mean of your loss's gradient the gradient?",
             25, 65, "05 06 09", "misbehaves"),
    Notebook("13_break_it", "Break it", "What does each famous bug do to the actor?",
             30, 60, "05 09 12", "misbehaves"),
)  # fmt: skip
