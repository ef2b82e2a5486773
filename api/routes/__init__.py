"""The endpoints, one file a subject; each takes what deps.py gives and answers what schemas/ describes."""
