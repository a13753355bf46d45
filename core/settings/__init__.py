"""Typed settings: meaning and range in `schema`, values in `settings.toml`, reading and precedence in `settings_loader`.

May import `core.model`. Next: `core.settings.schema`, then `core.settings.settings_loader`.
"""
