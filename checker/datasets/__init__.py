"""Datasets as others hand them round: tar, Parquet, lists, folders. Bytes on a disk in, rows out; nobody is asked."""
