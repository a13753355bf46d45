"""Put the shipped files inside the wheel. An editable install reads them where they stand, so it gets none."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = ("settings.toml", "themes", "deploy")


class ShippedFiles(BuildHookInterface[Any]):
    """Called by the build backend before it collects files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the shipped files to a wheel that is to be installed elsewhere."""
        if version == "standard":
            build_data["force_include"].update({name: f"core/_shipped/{name}" for name in SHIPPED})
