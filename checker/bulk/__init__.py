"""Many look-ups at once, for holders of a key: lists taken in, answered by a process beside the service, told."""
