"""Which wrong answers the exercises accept: docs/exercise-mutations.md.

Every solution of the notebooks is changed in one place at a time, as a slip of the pen would, and
judged like an answer. A change that is accepted must be in EQUIVALENT, with the reason why it is
no mistake; exit status 1 without. Results are kept in out/exercise-mutations.json: it resumes where
it stopped, and an exercise is judged anew when its solution, its checks or the engine have changed.
"""

import ast
import copy
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch

from estimators.files import write_atomically
from nabla.course import exercise, numbers
from nabla.course.engine import Design, Surrogate, coordinates
from nabla.course.engine.surrogates import as_it_is
from nabla.course.exercises import exercises

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "out" / "exercise-mutations.json"
CELL = re.compile(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", re.MULTILINE)

SQUARED = "a difference that is squared has no sign"
SHIFT = "a number added to all exponents cancels; these do not overflow"
SYMMETRIC = "ε and −ε are as likely, and the nodes lie symmetrically"
A_NUMBER = "what is drawn, or weighed with, is a number already"
SHAPE = "of the parameter only the shape is used"
ONE_ACTION = "there is one action: the first is the last, a sum is a mean"
MEAN_ZERO = "Σ π ∇ log π = 0: the cost's own gradient has mean zero, exactly"
LISTS = "a list is taken for an array, as everywhere"
DOT = "a product of two vectors has no order"
COUNTS = "the lengths are equal"
EQUIVALENT: dict[str, dict[str, str]] = {  # exercise: {the line that it became: why it is right}
    "cost": {"z = (mu - a) / sigma": SQUARED},
    "first_visit": {"return [np.mean(g) for g in returns]": LISTS},
    "td_step": {"V = V": "the values are right; that the caller's array is lost is not judged"},
    "td_target_moments": {
        "mean = V @ P[s]": DOT,
        "return (r[s] + mean, (V - mean) ** 2 @ P[s])": DOT,
        "return (r[s] + mean, P[s] @ (mean - V) ** 2)": SQUARED,
    },
    "to_go": {"return [sum(rewards[t:]) for t in range(len(rewards))]": LISTS},
    "trajectory_gradient": {
        "pi = np.exp(theta) / np.exp(theta).sum(1, keepdims=True)": "of two axes, 1 is the last",
        "for s, a, w in zip(states, actions, weights, strict=False):": COUNTS,
    },
    "best_baseline": {
        "size = ((np.eye(len(pi)) - pi) ** 2).mean(axis=1)": "a factor of both sums cancels",
        "size = ((pi - np.eye(len(pi))) ** 2).sum(axis=1)": SQUARED,
        "size = ((np.eye(len(Q)) - pi) ** 2).sum(axis=1)": COUNTS,
    },
    "actor_critic": {
        "return -(advantage * policy.log_prob(a)).sum(0)": ONE_ACTION,
        "actions, probabilities = policy.detach().nodes()": A_NUMBER,
        "a = policy.detach().sample(1, rng)": A_NUMBER,
        "V = (probabilities.detach() * objective.Q(actions)).sum(0)": A_NUMBER,
        "advantage = (objective.Q(a) - V.detach()).detach()": A_NUMBER,
        "V = (probabilities * objective.Q(actions.detach())).sum(0)": A_NUMBER,
        "advantage = (objective.Q(a.detach()) - V).detach()": A_NUMBER,
        "return -(advantage.detach() * policy.log_prob(a)).mean(0)": A_NUMBER,
        "return -(advantage * policy.log_prob(a.detach())).mean(0)": A_NUMBER,
    },
    "gaussian_loss": {"mean_Q = -k * ((m - mu) ** 2 + sigma ** 2) / 2": SQUARED},
    "reverse_slope": {"a = phi - eps": SYMMETRIC},
    "gaussian_path": {"return (mu + sigma * eps, np.ones(len(mu)), sigma * eps)": COUNTS},
    "pathwise": {
        "a = policy.mu - torch.exp(policy.log_std) * eps": SYMMETRIC,
        "eps = rng.normal(tuple(policy.mu.shape), policy.detach().mu)": SHAPE,
        "a = policy.mu + torch.exp(policy.log_std) * eps.detach()": A_NUMBER,
        "eps = rng.normal(tuple(policy.detach().mu.shape), policy.mu)": SHAPE,
    },
    "score_term": {
        "sigma = log_std.detach().exp()": "the formula is not differentiated any more",
        "return (eps.detach() / sigma, eps ** 2 - 1)": A_NUMBER,
        "return (eps / sigma.detach(), eps ** 2 - 1)": A_NUMBER,
        "return (eps / sigma, eps.detach() ** 2 - 1)": A_NUMBER,
    },
    "eq13": {
        "return tuple((alpha * s + bracket * f "
        "for s, f in zip(score, grad_f, strict=False)))": COUNTS
    },
    "actor_loss": {"return objective.cost(policy, a).sum(0)": ONE_ACTION},
    "sticking": {
        "return objective.cost(policy.detach(), a).sum(0)": ONE_ACTION,
        "return objective.cost(policy.detach().detach(), a).mean(0)": A_NUMBER,
    },
    "variances": {"without_score = alpha / sigma - k * sigma": SQUARED},
    "nabla_log": {
        "return (weight * policy.log_prob(a)).sum(0)": ONE_ACTION,
        "a = policy.detach().sample(1, rng)": A_NUMBER,
        "weight = objective.cost(policy.detach(), a).detach()": A_NUMBER,
        "weight = objective.cost(policy, a.detach()).detach()": A_NUMBER,
        "return (weight.detach() * policy.log_prob(a)).mean(0)": A_NUMBER,
        "return (weight * policy.log_prob(a.detach())).mean(0)": A_NUMBER,
    },
    "repaired": {
        "return n * (n - 1) * surrogate.mean(0)": "n − 1 is 1",
        "return n * surrogate.mean(0)": "n − 1 is 1",
        "a = policy.detach().sample(n, rng)": A_NUMBER,
        "surrogate = (cost.detach() - cost.mean(0)) * policy.log_prob(a)": A_NUMBER,
        "surrogate = (cost - cost.mean(0)) * policy.log_prob(a.detach())": A_NUMBER,
        "cost = objective.cost(policy.detach(), a).detach()": A_NUMBER,
        "cost = objective.cost(policy, a.detach()).detach()": A_NUMBER,
        "surrogate = (cost - cost.detach().mean(0)) * policy.log_prob(a)": A_NUMBER,
    },
    "variance_with_error": {"squares = (exact - g) ** 2": SQUARED},
    "second_moments": {
        "path = dF ** 2 @ w": DOT,
        "baseline = F @ w + w @ ddF": DOT,
        "baseline = w @ F + ddF @ w": DOT,
        "score = F ** 2 @ w + 2 * path + 2 * (w @ (F * ddF))": DOT,
        "score = w @ F ** 2 + 2 * path + 2 * (F * ddF @ w)": DOT,
    },
    "nabla_log_variances": {"B2 = (alpha - k * sigma ** 2) ** 2": SQUARED},
    "implicit_path": {"by_logits = w * (ndtr(z) - ndtr(z) @ w)": DOT},
    "weights_given": {"joint = w * np.exp(-((mu - a) / sigma) ** 2 / 2) / sigma": SQUARED},
    "marginal_loss": {"a = policy.components.rsample(1, rng)[-1]": ONE_ACTION},
    "fair_price": {"B_over_u = 1 / tau - 1": SQUARED},
    "without_first_term": {"return (1 / tau - 1) ** 2": SQUARED},
    "squashed_entropy": {
        "u = mu - sigma * eps": SYMMETRIC,
        "return math.log(sigma) + math.log(2 * math.pi * math.e) / 2 + det @ w": DOT,
    },
    "temperature_slope": {
        "z = (r + r.max()) / alpha": SHIFT,
        "z = r / alpha": SHIFT,
        "z = (r - r.min()) / alpha": SHIFT,
        "return -(log_p @ np.exp(log_p)) - target": DOT,
    },
    "discrete_loss": {
        "return (p * objective.cost(policy.detach(), a)).sum(0)": MEAN_ZERO,
        "return (p * objective.cost(policy, a.detach())).sum(0)": A_NUMBER,
    },
    "my_loss": {
        "u = mu - log_std.exp() * eps": SYMMETRIC,
        "u = mu + log_std.exp() * eps.detach()": A_NUMBER,
    },
    "antithetic": {
        "step = policy.log_std.exp() * eps.detach()": A_NUMBER,
        "eps = rng.normal(tuple(policy.mu.shape), policy.detach().mu)": SHAPE,
        "cost = objective.cost(policy.detach(), a).detach()": A_NUMBER,
        "cost = objective.cost(policy, a.detach()).detach()": A_NUMBER,
        "return (cost.detach() * policy.log_prob(a)).mean(0)": A_NUMBER,
        "eps = rng.normal(tuple(policy.detach().mu.shape), policy.mu)": SHAPE,
        "step = policy.detach().log_std.exp() * eps": A_NUMBER,
        "return (cost * policy.log_prob(a.detach())).mean(0)": A_NUMBER,
        "a = torch.stack([policy.mu + step.detach(), policy.mu - step]).detach()": A_NUMBER,
        "a = torch.stack([policy.mu + step, policy.mu - step.detach()]).detach()": A_NUMBER,
        "a = torch.stack([policy.detach().mu + step, policy.mu - step]).detach()": A_NUMBER,
        "a = torch.stack([policy.mu + step, policy.detach().mu - step]).detach()": A_NUMBER,
    },
    "reviewed": {"return (objective.alpha * log_prob - objective.Q(a))[-1]": ONE_ACTION},
}

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
OTHER = {  # the name that is called: what it is taken for
    "sum": "mean",
    "mean": "sum",
    "median": "mean",
    "max": "min",
    "minimum": "maximum",
    "sample": "rsample",
    "rsample": "sample",
    "floor": "ceil",
    "exp": "log",
    "log1p": "log",
    "std": "var",
}
FIXED = ("np", "math", "torch", "rng", "objective", "alpha")  # nothing to detach, nothing to swap


class Solved(NamedTuple):
    """An exercise as its notebook solves it. setup: what runs before, the imports."""

    number: str
    name: str
    setup: str
    source: str


class Mutant(NamedTuple):
    line: str
    source: str


def solved() -> list[Solved]:
    found = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.py")):
        cells = CELL.findall(path.read_text())
        setup = "\n".join(source for head, source in cells if '"setup"' in head)
        for (_, asked), (head, source) in pairwise(cells):
            if '"solution"' in head and asked.startswith("check_exercise("):
                name = asked.split('"')[1]
                source = source.partition(f"\n\n\n{name} = kept(")[0]
                found.append(Solved(path.name[:2], name, setup, source))
    return found


def mutants(source: str) -> list[Mutant]:
    """Each change of one place of a function's body, once."""
    tree = ast.parse(source)
    original = ast.unparse(tree)
    before = original.splitlines()
    found = {}
    for changed in _changes(tree):
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text not in (original, *found):
            after = text.splitlines()
            differ = [line.strip() for line in after if line not in before]
            found[text] = Mutant(" ⏎ ".join(differ) or "a line is missing", text)
    return list(found.values())


def _changes(tree: ast.Module) -> Iterator[ast.Module]:
    """The tree with one node replaced, for every node of the body and each of its slips."""
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    arguments = [a.arg for a in function.args.args]
    called = {n.func for n in ast.walk(tree) if isinstance(n, ast.Call)}
    places = [
        (i, node)
        for i, node in enumerate(ast.walk(tree))
        if any(node in ast.walk(part) for part in function.body)
    ]
    for i, node in places:
        for slip in _slips(node, arguments, called):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[i]
            for parent in ast.walk(changed):
                for field, value in ast.iter_fields(parent):
                    if value is target:
                        setattr(parent, field, slip)
                    elif isinstance(value, list) and target in value:
                        value[value.index(target)] = slip
            yield changed


def _slips(node: ast.AST, arguments: list[str], called: set[ast.expr]) -> Iterator[ast.AST]:
    tensors = {"policy", "log_std"} & set(arguments)  # else .detach() means nothing
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) in OPERATORS:
                yield ast.BinOp(left, OPERATORS[type(op)](), right)
            yield left  # a term, a factor or a power is missing
            if not isinstance(op, ast.Pow):
                yield ast.UnaryOp(ast.USub(), right) if isinstance(op, ast.Sub) else right
            if isinstance(op, ast.Sub | ast.Div | ast.MatMult):
                yield ast.BinOp(right, op, left)
        case ast.UnaryOp(op=ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1)
            yield ast.Constant(node.value - 1)
        case ast.Call(func=ast.Attribute(value=owner, attr=name) as function):
            if name in OTHER:
                other = ast.Attribute(owner, OTHER[name], ast.Load())
                yield ast.Call(other, node.args, node.keywords)
            module = isinstance(owner, ast.Name) and owner.id in ("np", "math", "torch")
            if module and len(node.args) == 1:
                yield node.args[0]
            if not module:
                yield owner  # .detach(), .exp(), .sum(-1) are missing
            for i in range(len(node.keywords)):
                yield ast.Call(function, node.args, node.keywords[:i] + node.keywords[i + 1 :])
        case ast.Return(value=ast.Tuple(elts=[first, second, *rest])):
            yield ast.Return(ast.Tuple([second, first, *rest], ast.Load()))
            yield ast.Return(ast.Tuple([ast.UnaryOp(ast.USub(), first), second, *rest], ast.Load()))
        case ast.Return(value=ast.expr() as value):
            yield ast.Return(ast.UnaryOp(ast.USub(), value))
            for factor in (2, 0.5):
                yield ast.Return(ast.BinOp(ast.Constant(factor), ast.Mult(), value))
        case ast.Slice(lower=ast.expr() as lower, upper=None):
            yield ast.Slice(ast.BinOp(lower, ast.Add(), ast.Constant(1)), None, node.step)
            yield ast.Slice(lower, ast.UnaryOp(ast.USub(), ast.Constant(1)), node.step)
        case ast.Name(id=name, ctx=ast.Load()) if node not in called and name not in FIXED:
            if name in arguments and "policy" not in arguments:
                at = arguments.index(name)
                yield ast.Name(arguments[(at + 1) % len(arguments)], ast.Load())
            if tensors:
                yield ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])


def function(one: Solved, source: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(one.setup, namespace)
    exec(source, namespace)
    return namespace[source.split("(")[0].removeprefix("def ").strip()]


def judged(one: Solved, mutant: Mutant) -> dict[str, str | None]:
    """The step that it stops at, the key of its hint, the line that it became."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = function(one, mutant.source)
        except Exception as error:  # the change may be of what runs at once
            return {"step": "shape", "key": None, "text": str(error), "line": mutant.line}
        found = exercise(one.name).examine(answer)
    return {"step": found.step, "key": found.key, "text": found.text, "line": mutant.line}


def reason(name: str, line: str) -> str:
    if isinstance(exercise(name), Design):
        return "its plans are within 5 % of the best in every case, which is what is asked"
    return EQUIVALENT.get(name, {}).get(line, "")


def together(one: Solved) -> list[dict[str, str | None]]:
    """The solution with coordinates put together wrongly: one ε, log π averaged or cut short."""
    chosen = exercise(one.name)
    if not isinstance(chosen, Surrogate) or chosen.problems[0][0].discrete:
        return []
    if chosen.adapt is not as_it_is:  # of numbers, not of a policy: the changes of its text do it
        return []
    solution = function(one, one.source)
    found = []
    for key, (answer, _) in coordinates.slips(solution).items():
        asks = "policy.log_prob(" in one.source or ".cost(" in one.source
        if key != "one_noise" and not asks:
            continue  # it does not ask the policy for log π
        finding = chosen.examine(answer)
        line = f"({key.replace('_', ' ')})"
        found.append({"step": finding.step, "key": finding.key, "text": "", "line": line})
    return found


def results() -> dict[str, Any]:
    """All of them, by exercise; what is known from before is not judged again."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    KEPT.parent.mkdir(exist_ok=True)
    engine = [p.read_text() for p in sorted((ROOT / "nabla/course/engine").glob("*.py"))]
    for one in solved():
        checks = (ROOT / f"nabla/course/exercises/ex{one.number}.py").read_text()
        shared = (ROOT / "nabla/course/exercises/ex05.py").read_text()
        changed = mutants(one.source)
        made = [mutant.source for mutant in changed]
        text = "".join([one.setup, one.source, checks, shared, *made, *engine])
        mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        if kept.get(one.name, {}).get("mark") != mark:
            tried = [judged(one, mutant) for mutant in changed] + together(one)
            kept[one.name] = {"mark": mark, "number": one.number, "tried": tried}
            write_atomically(KEPT, json.dumps(kept, ensure_ascii=False, indent=1))
            done = sum(t["step"] == "done" for t in tried)
            print(f"{one.number} {one.name}: {len(tried)} changes, {done} accepted", flush=True)
    names = {name for n in numbers() for name in exercises(n)}
    return {name: kept[name] for name in kept if name in names}


def report(found: dict[str, Any]) -> tuple[str, bool]:
    tried = [t for each in found.values() for t in each["tried"]]
    accepted = [(n, t) for n, e in found.items() for t in e["tried"] if t["step"] == "done"]
    unexplained = [(n, t) for n, t in accepted if not reason(n, t["line"])]
    refused = len(tried) - len(accepted)
    named = sum(t["step"] != "done" and bool(t["key"]) for t in tried)
    lines = [
        "---",
        "orphan: true",
        "---",
        "",
        "# What the exercises accept",
        "",
        "Made by `python benchmarks/exercise_mutations.py`; do not edit. The solution of every "
        "exercise is changed in one place at a time (a sign, an operator, sum and mean, a missing "
        "term, factor, power or call, an index, a constant ± 1, one argument for another, "
        "something detached or not, coordinates put together wrongly) and judged as a "
        "reader's answer is.",
        "",
        f"{len(tried)} changes: {refused} refused, {named} of them with a hint; {len(accepted)} "
        f"accepted, of which {len(accepted) - len(unexplained)} are right answers written "
        f"otherwise (below, with the reason) and {len(unexplained)} are wrong.",
        "",
        "| exercise | changes | refused | with a hint | right all the same | wrong and accepted |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in found.items():
        mine = each["tried"]
        right = [t for t in mine if t["step"] == "done"]
        wrong = [t for t in right if not reason(name, t["line"])]
        hints = sum(t["step"] != "done" and bool(t["key"]) for t in mine)
        counts = (len(mine), len(mine) - len(right), hints, len(right) - len(wrong), len(wrong))
        lines.append(f"| {each['number']} `{name}` | " + " | ".join(map(str, counts)) + " |")
    lines += ["", "## Accepted", "", "| exercise | became | why it is right |", "|---|---|---|"]
    for name, t in accepted:
        why = reason(name, t["line"]) or "**wrong**"
        line = t["line"].replace("|", "\\|")
        lines.append(f"| `{name}` | `{line}` | {why} |")
    for name, t in unexplained:
        print(f"{name}: accepts {t['line']}", file=sys.stderr)
    return "\n".join(lines) + "\n", not unexplained


if __name__ == "__main__":
    torch.set_num_threads(1)
    text, good = report(results())
    write_atomically(ROOT / "docs" / "exercise-mutations.md", text)
    sys.exit(not good)
