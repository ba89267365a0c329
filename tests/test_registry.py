"""Registries that other packages can add to: names, conflicts, and modules that cannot be read."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from mintad.errors import ConfigError
from mintad.registry import Registry

GROUP = "mintad.test_things"


def distribution(place: Path, name: str, points: dict[str, str], module: str) -> None:
    """What pip leaves of a package with one module: the module and its metadata."""
    (place / f"{name}.py").write_text(module, encoding="utf-8")
    about = place / f"{name}-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", "utf-8")
    lines = [f"[{GROUP}]", *(f"{point} = {value}" for point, value in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry[int]:
    """A registry whose own entry is `one`; `tmp_path` is where packages are looked for."""
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[int] = Registry("thing", GROUP, lambda: registry.add("one", 1))
    monkeypatch.setattr(sys.modules[__name__], "REGISTRY", registry, raising=False)
    monkeypatch.setitem(sys.modules, "things_registry", sys.modules[__name__])
    return registry


def test_own_entries_come_first_and_are_made_at_the_first_look_up(
    things: Registry[int], tmp_path: Path
) -> None:
    code = "from things_registry import REGISTRY\nREGISTRY.add('two', 2)\nREGISTRY.entries()\n"
    distribution(tmp_path, "more_things", {"two": "more_things"}, code)
    assert "more_things" not in sys.modules
    assert things.entries() == {"one": 1, "two": 2}
    assert list(things.entries()) == ["one", "two"]
    del sys.modules["more_things"]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("from things_registry import REGISTRY\nREGISTRY.add('one', 7)", "ConfigError: There is"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_module_that_cannot_be_used_is_named_and_left_out(
    things: Registry[int], tmp_path: Path, module: str, reason: str
) -> None:
    distribution(tmp_path, "broken_things", {"seven": "broken_things"}, module)
    with pytest.warns(
        UserWarning, match=r"'seven' \(broken_things\) of broken.things 1\.2"
    ) as told:
        assert things.entries() == {"one": 1}
    assert reason in str(told[0].message)
    assert things.entries() == {"one": 1}


def test_a_name_belongs_to_one_entry(things: Registry[int]) -> None:
    things.add("two", 2)
    things.add("two", 2)
    with pytest.raises(ConfigError, match=r"another thing named 'two'\. .*another name"):
        things.add("two", 3)
    things.add("two", 12, lambda known: known % 10 == 2)
    assert things.entries()["two"] == 12


def test_a_second_thread_waits_for_the_first_to_have_loaded() -> None:
    started, go_on = threading.Event(), threading.Event()

    def own() -> None:
        started.set()
        go_on.wait(10)
        slow.add("one", 1)

    slow: Registry[int] = Registry("thing", GROUP, own)
    seen: list[dict[str, int]] = []
    threads = [threading.Thread(target=lambda: seen.append(slow.entries())) for _ in range(2)]
    threads[0].start()
    started.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert seen == [{"one": 1}] * 2
