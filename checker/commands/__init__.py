"""What `hibs` prints and exits with, one file a command. Signatures are light; bodies import."""
