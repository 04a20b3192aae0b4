"""Intel: what is looked for."""
