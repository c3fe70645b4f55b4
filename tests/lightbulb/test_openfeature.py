"""Objectives as flags: OpenFeature's own SDK, over a real Lightbulb."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from lightbulb.client import BlockingLightbulbClient, Fallback, LightbulbClient, Remember
from lightbulb.client.in_process import InProcessClient
from lightbulb.client.openfeature import LightbulbProvider
from lightbulb.model import AbRule, Comparison, ContextRule, Operator
from tests.lightbulb.lightbulb_server import serving
from tests.lightbulb.tables import AB_RULE, OBJECTIVE, TABLE, source, target
from tests.waiting import SECONDS

WHOLE = replace(AB_RULE.cells[0], end=10_000, model=1)
IN_CELL: AbRule = replace(AB_RULE, cells=(replace(WHOLE, number=2),), layer_end=10_000)
BY_TIME = ContextRule(
    source=source("defineTimeRule"),
    when=Comparison(attribute="since", operator=Operator.IN, values=("2026-01-31T00:00:00+00:00",)),
    model=3,
)
RULES = replace(TABLE, ab_rules=(IN_CELL,), context_rules=(BY_TIME, *TABLE.context_rules), shifts=())
PLAIN = replace(RULES, objective="Plain", default_model=0, models=(target("plain"), *TABLE.models[1:]))
US = EvaluationContext("u", {"country": "US"})
FR = EvaluationContext("u", {"country": "FR", "surface": "tv"})
SHORT = EvaluationContext()


@contextlib.contextmanager
def flags(client: Any) -> Iterator[OpenFeatureClient]:
    try:
        api.set_provider_and_wait(LightbulbProvider(client), domain="tests")
        yield api.get_client("tests")
    finally:
        api.clear_providers()


def with_flags(scenario: Any, **settings: Any) -> None:
    async def run() -> None:
        async with serving(RULES, PLAIN) as target_:
            with BlockingLightbulbClient(target_, timeout=SECONDS, **settings) as client:
                await asyncio.to_thread(within, client)

    def within(client: BlockingLightbulbClient) -> None:
        with flags(client) as given:
            scenario(given)

    asyncio.run(run())


def test_a_flag_is_an_objectives_model_and_its_parameters() -> None:
    def scenario(flags: OpenFeatureClient) -> None:
        model = flags.get_string_details(OBJECTIVE, "none@0", US)
        assert (model.value, model.reason, model.variant) == ("cell-2@1", Reason.SPLIT, "12345:2")
        assert model.flag_metadata["routing_key"] == f"{OBJECTIVE}|cell-2|1"
        assert (model.flag_metadata["generation"], model.flag_metadata["origin"]) == (1, "Lightbulb")
        assert flags.get_integer_value(f"{OBJECTIVE}.limit", 7, US) == 20
        assert flags.get_float_value(f"{OBJECTIVE}.boost", 7.0, US) == 0.5
        assert flags.get_float_value(f"{OBJECTIVE}.limit", 7.0, US) == 20.0
        assert flags.get_boolean_value(f"{OBJECTIVE}.explore", False, US) is True
        assert flags.get_string_value(f"{OBJECTIVE}.note", "", US) == "x"
        assert flags.get_object_value(OBJECTIVE, {}, US) == {
            "model": "cell-2",
            "version": "1",
            "routing_key": f"{OBJECTIVE}|cell-2|1",
            "parameters": {"limit": 20, "boost": 0.5, "explore": True, "note": "x"},
            "cells": {"12345": 2},
            "generation": 1,
        }
        default = flags.get_string_details(OBJECTIVE, "none@0", FR)
        assert (default.value, default.reason, default.variant) == ("default@1", Reason.DEFAULT, "default@1")

    with_flags(scenario)


def test_attributes_are_the_contexts() -> None:
    def scenario(flags: OpenFeatureClient) -> None:
        day = datetime(2026, 1, 31, tzinfo=UTC)
        context = EvaluationContext("u", {"country": "FR", "since": day})
        details = flags.get_string_details(OBJECTIVE, "", context)
        assert (details.value, details.reason) == ("kids@1", Reason.TARGETING_MATCH)

    with_flags(scenario)


@pytest.mark.parametrize(
    ("flag", "context", "code", "text"),
    [
        ("Nope", US, ErrorCode.FLAG_NOT_FOUND, "unknown objective"),
        (f"{OBJECTIVE}.nope", US, ErrorCode.FLAG_NOT_FOUND, "has no parameter 'nope'; it has: boost"),
        (f"{OBJECTIVE}.boost", US, ErrorCode.TYPE_MISMATCH, "is 0.5, not an integer"),
        (f"{OBJECTIVE}.explore", US, ErrorCode.TYPE_MISMATCH, "is True, not an integer"),
        (OBJECTIVE, US, ErrorCode.TYPE_MISMATCH, "its model is a text or an object, not an integer"),
        (OBJECTIVE, SHORT, ErrorCode.TARGETING_KEY_MISSING, "set the targeting key"),
        (OBJECTIVE, EvaluationContext("u", {"a": {"b": 1}}), ErrorCode.INVALID_CONTEXT, "attributes['a']"),
        (OBJECTIVE, EvaluationContext("u", {"country": 7}), ErrorCode.INVALID_CONTEXT, "context.country"),
    ],
)
def test_what_cant_be_given_is_the_default_and_an_error_that_says_why(
    flag: str, context: EvaluationContext, code: ErrorCode, text: str
) -> None:
    def scenario(flags: OpenFeatureClient) -> None:
        details = flags.get_integer_details(flag, 7, context)
        assert (details.value, details.error_code, details.reason) == (7, code, Reason.ERROR)
        assert details.error_message is not None
        assert text in details.error_message

    with_flags(scenario)


def test_reasons_say_what_is_remembered_and_what_is_declared() -> None:
    def scenario(flags: OpenFeatureClient) -> None:
        flags.get_string_value(OBJECTIVE, "", US)
        assert flags.get_string_details(OBJECTIVE, "", US).reason == Reason.CACHED

    with_flags(scenario, remember=Remember())
    spare = {OBJECTIVE: Fallback(model="spare", version="3")}
    with BlockingLightbulbClient("127.0.0.1:1", fallbacks=spare) as client, flags(client) as given:
        details = given.get_string_details(OBJECTIVE, "", US)
        assert (details.value, details.reason) == ("spare@3", Reason.DEFAULT)
        assert given.get_string_details("Plain", "mine", US).error_code == ErrorCode.PROVIDER_NOT_READY


def test_with_asyncio_either_kind_of_client_will_do() -> None:
    async def run() -> None:
        async with serving(RULES, PLAIN) as target_, LightbulbClient(target_, timeout=SECONDS) as client:
            with flags(client) as given:
                assert await given.get_string_value_async(OBJECTIVE, "", US) == "cell-2@1"
                assert await given.get_integer_value_async(f"{OBJECTIVE}.limit", 7, US) == 20
                assert await given.get_float_value_async(f"{OBJECTIVE}.boost", 7.0, US) == 0.5
                assert await given.get_boolean_value_async(f"{OBJECTIVE}.explore", False, US) is True
                assert (await given.get_object_value_async(OBJECTIVE, {}, US))["model"] == "cell-2"
                missing = await given.get_string_details_async("Nope", "mine", US)
                assert (missing.value, missing.error_code) == ("mine", ErrorCode.FLAG_NOT_FOUND)
                blocked = given.get_string_details(OBJECTIVE, "mine", US)
                assert "async methods" in (blocked.error_message or "")
            with BlockingLightbulbClient(target_, timeout=SECONDS) as blocking, flags(blocking) as given:
                assert await given.get_string_value_async(OBJECTIVE, "", US) == "cell-2@1"

    asyncio.run(run())


def test_a_client_without_tables_isnt_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbulb.client.openfeature.READY_SECONDS", 0.01)
    with InProcessClient("127.0.0.1:1") as client, pytest.raises(Exception, match="no tables have come"):
        LightbulbProvider(client).initialize(EvaluationContext())
