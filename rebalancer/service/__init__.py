"""The imperative shell: observe, execute, settle, one cycle."""
