from __future__ import annotations

import subprocess
import sys

import pytest

from mintad.backbones import backbone_spec, list_backbones
from mintad.errors import ConfigError


def test_the_registry_is_read_and_rooms_are_imported_without_torch() -> None:
    code = (
        "import sys; from mintad.backbones import backbone_spec, list_backbones; "
        "import mintad.bundle, mintad.features, mintad.layers, mintad.models, mintad.training; "
        "[backbone_spec(name).packaged_weights() for name in list_backbones()]; "
        "assert not {'torch', 'timm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", list_backbones())
def test_entries_are_complete(name: str) -> None:
    spec = backbone_spec(name)
    assert spec.name == name
    assert spec.licence
    assert spec.source
    assert all(0 <= stage < len(spec.stages) for stage in spec.default_stages)


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="efficientnet_b4") as caught:
        backbone_spec("efficientnetb4")
    assert "timm:NAME" in caught.value.mend
