from __future__ import annotations

import json

from mintad.models import list_models, model_class
from mintad.models.catalogue import describe_models


def test_every_method_is_listed_with_paper_needs_and_switches() -> None:
    methods = {method["name"]: method for method in describe_models()}
    assert list(methods) == list_models()
    for name, method in methods.items():
        assert "arXiv" in method["paper"]
        assert method["needs_at_test"] == (
            ["product"] if model_class(name).requirements.product else []
        )
        fields = model_class(name).config_class.model_fields
        assert {s["name"]: s["default"] for s in method["switches"]} == {
            name: field.default for name, field in fields.items()
        }
    assert methods["mint-ad"]["needs_at_test"] == []
    assert methods["uniad-query-pool"]["needs_at_test"] == ["product"]
    assert methods["uniad-text-prompt"]["needs_in_training"] == ["text encoder"]


def test_a_switch_tells_its_type_and_the_values_it_takes() -> None:
    uniad = next(method for method in describe_models() if method["name"] == "uniad")
    switches = {switch["name"]: switch for switch in uniad["switches"]}
    assert switches["mask_encoder"] == {
        "name": "mask_encoder",
        "type": "boolean",
        "values": [True, False],
        "default": True,
    }
    assert switches["norm"]["values"] == ["post", "pre"]
    assert switches["dropout"]["values"] == ">= 0, < 1"
    assert switches["dim"]["type"] == "integer"


def test_the_description_is_json() -> None:
    assert json.loads(json.dumps(describe_models())) == describe_models()
