"""The example models do real work: they differ, they are deterministic, and they are good at it."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from examples.models import embeddings
from examples.models.catalogue import CATALOGUE
from examples.models.embeddings import DIMENSIONS
from examples.models.facts import FACTS, viewing_history
from examples.models.fraud import MAX_VALUE, transactions
from examples.models.ranking import EMBEDDINGS, MAX_TITLES
from examples.models.titles import TITLES, title_catalogue
from lightbulb.host.errors import BadInput
from lightbulb.host.workflow import Array, Inference, Supplies, Workflow
from lightbulb.model import RequestContext

RANKERS = tuple(model for model in CATALOGUE if "continue-watching" in model)
CLASSIFIERS = ("payment-fraud-model@1", "payment-fraud-model@2")
MODELS_FILE = Path(__file__).resolve().parents[2] / "rules" / "models.yaml"


@cache
def loaded(model: str) -> Workflow:
    """Return a model that was given what it declares, and nothing else."""
    factory = CATALOGUE[model]
    facts = {name: FACTS[name] for name in factory.facts}
    return factory(Supplies(facts=facts, models={other: loaded(other) for other in factory.depends_on}))


def for_user(user: str, *titles: int, **parameters: object) -> Inference:
    inputs = {"titles": np.array(titles, dtype=np.int64)} if titles else {}
    return Inference(context=RequestContext(user_id=user), inputs=inputs, parameters=parameters)


def transaction(rows: Array) -> Inference:
    return Inference(context=RequestContext(user_id="u"), inputs={"transaction": rows})


@pytest.mark.parametrize("model", CATALOGUE)
def test_every_model_passes_its_own_check_with_the_facts_and_models_that_it_declares(model: str) -> None:
    loaded(model).validate()


def test_the_example_workspace_gives_every_model_what_it_needs() -> None:
    written = {
        f"{each['name']}@{each['version']}": each
        for each in yaml.safe_load(MODELS_FILE.read_text())["models"]
    }
    assert written.keys() == CATALOGUE.keys()
    for model, factory in CATALOGUE.items():
        assert set(factory.facts) <= set(written[model].get("facts", ()))
        assert set(factory.depends_on) <= set(written[model].get("depends_on", ()))


def test_the_three_rankers_rank_differently_and_each_always_alike() -> None:
    rankings = []
    for model in RANKERS:
        once = loaded(model).run(for_user("user-1"))["ranked_titles"].tolist()
        again = loaded.__wrapped__(model).run(for_user("user-1"))["ranked_titles"].tolist()
        assert once == again
        assert sorted(once) == sorted(viewing.title.id for viewing in viewing_history("user-1"))
        rankings.append(tuple(once))
    assert len(set(rankings)) == len(RANKERS) == 3


@pytest.mark.parametrize("model", RANKERS)
def test_two_users_are_given_two_rankings(model: str) -> None:
    users = ("user-1", "user-2")
    titles = {viewing.title.id for user in users for viewing in viewing_history(user)}
    one, two = (loaded(model).run(for_user(user, *titles))["ranked_titles"].tolist() for user in users)
    assert sorted(one) == sorted(two) == sorted(titles)
    assert one != two


@pytest.mark.parametrize("model", RANKERS)
def test_scores_fall_the_rule_may_limit_them_and_names_are_those_of_the_titles(model: str) -> None:
    outputs = loaded(model).run(for_user("user-2", max_titles=5))
    assert len(outputs["ranked_titles"]) == len(outputs["scores"]) == len(outputs["names"]) == 5
    assert np.all(np.diff(outputs["scores"]) <= 0)
    titles = title_catalogue()
    assert [titles[number].name.encode() for number in outputs["ranked_titles"].tolist()] == list(
        outputs["names"]
    )


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_the_classifier_tells_fraud_from_the_rest_on_data_it_hasnt_seen(model: str) -> None:
    _, rows, _, labels = transactions()
    scores = loaded(model).run(transaction(rows))["fraud_probability"]
    frauds, others = scores[labels == 1], scores[labels == 0]
    area_under_curve = np.mean(frauds[:, None] > others[None, :])
    assert area_under_curve > 0.97


def test_the_two_versions_of_the_classifier_differ_and_each_trains_alike_every_time() -> None:
    rows = transactions()[1]
    answers = []
    for model in CLASSIFIERS:
        one, two = (
            each.run(transaction(rows))["fraud_probability"]
            for each in (loaded(model), loaded.__wrapped__(model))
        )
        assert one.tolist() == two.tolist()
        answers.append(one)
    assert not np.allclose(*answers)


def test_a_request_without_transactions_is_answered_without_probabilities() -> None:
    for model in CLASSIFIERS:
        assert loaded(model).run(transaction(np.zeros((0, 30))))["fraud_probability"].shape == (0,)


def vectors_of(*titles: int) -> Array:
    return loaded(EMBEDDINGS).run(for_user("", *titles))["vectors"]


def test_the_vectors_of_a_series_of_films_lie_closer_together_than_those_of_any_films() -> None:
    titles = title_catalogue()
    every = vectors_of(*titles)
    assert every.shape == (TITLES, DIMENSIONS)
    assert np.allclose(np.linalg.norm(every, axis=1), 1.0, atol=1e-5)
    series = [number for number, title in titles.items() if title.name.startswith("Harry Potter and")]
    within = vectors_of(*series)
    assert len(series) > 5
    assert np.mean(within @ within.T) > np.mean(every @ every.T) + 0.5


@pytest.mark.parametrize("model", RANKERS)
@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (for_user(""), "parameter lightbulb_context_user_id is missing"),
        (for_user("u", -5), r"tensor titles: no such titles: \[-5\]"),
        (for_user("u", *range(MAX_TITLES + 1)), "tensor titles has 501 titles; at most 500"),
        (for_user("u", max_titles=0), "parameter max_titles is 0, not a whole number from 1"),
    ],
)
def test_a_request_that_a_ranker_cant_work_with_is_named(model: str, request_: Inference, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        loaded(model).run(request_)


@pytest.mark.parametrize("model", CLASSIFIERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2 * MAX_VALUE])
def test_a_measurement_that_is_none_is_named(model: str, value: float) -> None:
    with pytest.raises(BadInput, match="tensor transaction has a value"):
        loaded(model).run(transaction(np.full((1, 30), value)))


def test_the_largest_measurements_still_give_a_probability() -> None:
    for model in CLASSIFIERS:
        for sign in (1, -1):
            rows = np.full((1, 30), sign * MAX_VALUE)
            assert 0 <= loaded(model).run(transaction(rows))["fraud_probability"][0] <= 1


def test_titles_that_have_no_vectors_are_named_and_so_are_too_many() -> None:
    with pytest.raises(BadInput, match=r"tensor titles: no such titles: \[-1, -2\]"):
        vectors_of(next(iter(title_catalogue())), -1, -2)
    with pytest.raises(BadInput, match="tensor titles has 10001 titles"):
        vectors_of(*range(embeddings.MAX_TITLES + 1))


def test_a_ranker_that_is_handed_another_model_than_the_one_it_builds_on_doesnt_load() -> None:
    factory = CATALOGUE["netflix-continue-watching-model-cell-3@1"]
    facts = {name: FACTS[name] for name in factory.facts}
    with pytest.raises(TypeError, match="title-embeddings@1 is a LogisticFraudClassifier"):
        factory(Supplies(facts=facts, models={EMBEDDINGS: loaded("payment-fraud-model@1")}))


def test_a_users_history_is_the_same_every_time_and_another_users_is_another() -> None:
    once = viewing_history("user-1")
    viewing_history.cache_clear()
    assert viewing_history("user-1") == once
    assert viewing_history("user-2") != once
