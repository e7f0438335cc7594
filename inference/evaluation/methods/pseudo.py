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
    on_run: Callable[[], None] = lambda: None,
) -> Section:
    """Accuracy and NLL both ways, for each recipe; two runs each."""
    groups: dict[str, Metrics] = {}
    items = 0
    for recipe in recipes:
        found = []
        for pseudo in (False, True):
            judged = judge_votes(votes, Target.AV, replace(recipe, pseudo=pseudo))
            found.append(row_figures(judged.truth, judged.fused[BOTH]))
            items = len(judged.truth)
            on_run()
        real, put_together = found
        groups[recipe.name] = {
            "accuracy_real": real["accuracy"],
            "accuracy_put_together": put_together["accuracy"],
            "accuracy_points_lost": 100 * (real["accuracy"] - put_together["accuracy"]),
            "nll_real": real["nll"],
            "nll_put_together": put_together["nll"],
        }
    lost = [group["accuracy_points_lost"] for group in groups.values()]
    report = EvaluationReport(
        task="put together",
        n=items,
        metrics={"most_accuracy_points_lost": float(np.max(lost))},
        by=Breakdown(group=groups),
        versions={"seeds": ", ".join(str(seed) for seed in sorted({one.seed for one in recipes}))},
    )
    return Section(
        title=TITLE,
        about="Crowd votes of CREMA-D, real pairs of unseen actors. Each network learned from the "
        "real pairs of the other actors, or from their channels put together anew within each "
        "label, as the shipped weights did with voices and lines. The goal is at most .3 points.",
        report=report,
        picture=PICTURE,
    )
