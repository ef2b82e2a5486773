"""A question against a corpus: who is near, is it really there, and how likely is chance.

candidates   near codes of the index, by picture          placement   where the copy lies, told from pixels and tiles
chance       the nulls of both codes and of the tiles     search      all of it, in order
"""
