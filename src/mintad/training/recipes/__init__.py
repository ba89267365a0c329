"""The recipes that mintad ships, as TOML."""
