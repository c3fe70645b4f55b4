"""The example models do real work: they differ, they are deterministic, and they are good at it."""

import numpy as np
import pytest

from lightbulb.model import RequestContext
from servinghost.facts import UnknownFact, check_facts, viewing_history
from servinghost.models.catalogue import CATALOGUE
from servinghost.models.fraud import boosted, logistic, transactions
from servinghost.models.ranking import ContinueWatching, EmbeddingSimilarity, GenreAffinity
from servinghost.workflow import BadInput, Inference, Workflow

RANKERS = (ContinueWatching, GenreAffinity, EmbeddingSimilarity)


def ask(user: str, *titles: int, **parameters: int) -> Inference:
    inputs = {"titles": np.array(titles, dtype=np.int64)} if titles else {}
    return Inference(context=RequestContext(user_id=user), inputs=inputs, parameters=parameters)


@pytest.mark.parametrize("model_id", CATALOGUE)
def test_every_model_validates(model_id: str) -> None:
    CATALOGUE[model_id]().validate()


def test_the_three_rankers_rank_differently_and_each_always_alike() -> None:
    rankings = []
    for ranker in RANKERS:
        once, again = (ranker().run(ask("user-1"))["ranked_titles"].tolist() for _ in range(2))
        assert once == again
        assert sorted(once) == sorted(viewing.title.id for viewing in viewing_history("user-1"))
        rankings.append(once)
    assert len({tuple(ranking) for ranking in rankings}) == 3


@pytest.mark.parametrize("ranker", RANKERS)
def test_scores_fall_and_the_rule_may_limit_them(ranker: type[Workflow]) -> None:
    outputs = ranker().run(ask("user-2", max_titles=5))  # type: ignore[call-arg]
    assert len(outputs["ranked_titles"]) == len(outputs["names"]) == 5
    assert np.all(np.diff(outputs["scores"]) <= 0)


@pytest.mark.parametrize("version", [logistic, boosted])
def test_the_classifier_tells_fraud_from_the_rest_on_data_it_hasnt_seen(version) -> None:
    _, rows, _, labels = transactions()
    outputs = version().run(Inference(context=RequestContext(user_id="u"), inputs={"transaction": rows}))
    scores = outputs["fraud_probability"]
    frauds, others = scores[labels == 1], scores[labels == 0]
    area_under_curve = np.mean(frauds[:, None] > others[None, :])
    assert area_under_curve > 0.97


def test_the_two_versions_of_the_classifier_differ() -> None:
    rows = transactions()[1]
    request = Inference(context=RequestContext(user_id="u"), inputs={"transaction": rows})
    one, two = (version().run(request)["fraud_probability"] for version in (logistic, boosted))
    assert not np.allclose(one, two)


@pytest.mark.parametrize(
    ("model", "request_", "names"),
    [
        (ContinueWatching, ask(""), "user_id"),
        (ContinueWatching, ask("u", -5), "titles"),
        (ContinueWatching, ask("u", *range(501)), "titles"),
    ],
)
def test_a_request_that_a_model_cant_work_with_is_named(model, request_: Inference, names: str) -> None:
    with pytest.raises(BadInput, match=names):
        model().run(request_)


def test_a_fact_that_the_host_cant_supply_is_named() -> None:
    check_facts(("viewing_history", "title_catalogue"))
    with pytest.raises(UnknownFact, match="heart_rate"):
        check_facts(("viewing_history", "heart_rate"))
