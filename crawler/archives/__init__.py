"""What archives of pictures hold, read one file at a time: tar, WARC, Parquet, lists of addresses, folders."""
