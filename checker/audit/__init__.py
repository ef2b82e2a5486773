"""What was done with keys, as a second log that cannot be edited quietly: entries, signing, verifying, telling."""
