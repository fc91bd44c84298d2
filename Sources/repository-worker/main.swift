print("repository-worker")
