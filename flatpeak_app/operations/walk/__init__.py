"""`check_flatpeak --walk`: one conversation at a real account, compared with what this app expects, and deleted."""
