"""The command line: one module a family of verbs, imported only when its verb is called."""
