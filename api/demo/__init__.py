"""A small web to try everything on: four sites, a person's desk, and the service beside them."""
