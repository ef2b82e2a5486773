"""The case file: many photos asked about for many people, and what shows later what was asked and what came of it.

    manifest -> rows asked, kept in a journal -> case document -> CSV, Parquet, page -> a folder that is signed

Who the photos belong to (claimant, note) is read here and written here, and is part of no question.
"""
