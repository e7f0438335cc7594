"""Do pairs that were put together by label teach what real pairs teach?

On crowd votes, where real pairs exist: each network learns once from the real pairs of the other
actors, once from their channels put together anew within each label, and both guess the same real
pairs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from inference.evaluation.fusion_crema import BOTH, Target, Votes, judge_votes
from inference.evaluation.learned_rows import LearnedRecipe
from inference.evaluation.methods.results import Section
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.evaluation.rows import row_figures

TITLE: Final = "Pairs put together, against real ones"
PICTURE: Final = "pseudo"


def compare_pseudo(
    votes: Votes,
    recipes: Sequence[LearnedRecipe],
    seeds: int,
    on_run: Callable[[], None] = lambda: None,
) -> Section:
    """Accuracy and NLL both ways: means over `seeds` of each recipe, two runs a seed."""
    groups: dict[str, Metrics] = {}
    items = 0
    for recipe in recipes:
        found: dict[bool, list[Metrics]] = {False: [], True: []}
        for seed in range(seeds):
            for pseudo, runs in found.items():
                drawn = replace(recipe, seed=seed, pseudo=pseudo)
                judged = judge_votes(votes, Target.AV, drawn)
                runs.append(row_figures(judged.truth, judged.fused[BOTH]))
                items = len(judged.truth)
                on_run()
        groups[recipe.name] = _beside(found[False], found[True])
    lost = [group["accuracy_points_lost"] for group in groups.values()]
    report = EvaluationReport(
        task="put together",
        n=items,
        metrics={"most_accuracy_points_lost": float(np.max(lost))},
        by=Breakdown(group=groups),
        versions={"seeds": str(seeds)},
    )
    return Section(
        title=TITLE,
        about="Crowd votes of CREMA-D, real pairs of unseen actors. Each network learned from the "
        "real pairs of the other actors, or from their channels put together anew within each "
        "label, as the shipped weights did with voices and lines. Means over seeds; the goal is to "
        "lose at most .3 points.",
        report=report,
        picture=PICTURE,
    )


def _beside(real: Sequence[Metrics], put_together: Sequence[Metrics]) -> Metrics:
    """Means over seeds, and how far the loss strays from seed to seed."""
    means = {
        f"{name}_{how}": float(np.mean([run[name] for run in runs]))
        for name in ("accuracy", "nll")
        for how, runs in (("real", real), ("put_together", put_together))
    }
    lost = [
        100 * (one["accuracy"] - other["accuracy"])
        for one, other in zip(real, put_together, strict=True)
    ]
    return means | {
        "accuracy_points_lost": float(np.mean(lost)),
        "accuracy_points_lost_sd": float(np.std(lost)),
    }
