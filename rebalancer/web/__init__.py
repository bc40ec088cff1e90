"""The page: a process of its own, without keys, that reads the journal and may leave requests. It can never trade."""
