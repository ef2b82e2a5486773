"""A question against a corpus: who is near, is it really there, and how likely is chance.

placement   where the copy lies, told from pixels and tiles
chance      the nulls of both codes and of the tiles
search      candidates from the index, weighed by the other two
"""
