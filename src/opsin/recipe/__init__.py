"""The recipe: frozen sections, their bounds, and reading and writing them as TOML."""
