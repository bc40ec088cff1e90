"""A plan or a cycle for a reader: terminal, JSON, CSV, Markdown."""
