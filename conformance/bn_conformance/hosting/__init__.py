"""Where layers run: in this process or in a worker process, by one table of operations."""
