from __future__ import annotations

from mintad.reporting.methods import methods_text


def test_a_method_is_a_paragraph_with_a_line_per_switch() -> None:
    text = methods_text(
        [
            {
                "name": "one",
                "paper": "A paper",
                "needs_at_test": ["product"],
                "needs_in_training": ["text encoder"],
                "switches": [
                    {"name": "on", "type": "boolean", "values": [True, False], "default": True},
                    {"name": "kind", "type": "string", "values": ["a", "b"], "default": "a"},
                    {"name": "width", "type": "integer", "values": ">= 1", "default": 3},
                ],
            },
            {
                "name": "two",
                "paper": "Another",
                "needs_at_test": [],
                "needs_in_training": [],
                "switches": [{"name": "x", "type": "number", "values": None, "default": 0.5}],
            },
        ]
    )
    assert text.splitlines() == [
        "one  (A paper)",
        "  needs at test time: product",
        "  needs in training: text encoder",
        "  on     true  (boolean true, false)",
        '  kind   "a"  (string a, b)',
        "  width  3  (integer >= 1)",
        "",
        "two  (Another)",
        "  needs at test time: the image alone",
        "  x  0.5  (number)",
    ]
