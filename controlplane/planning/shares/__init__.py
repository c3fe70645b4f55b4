"""Who gets what, exactly: the share of users of every rule and model, by region. Pure.

A *region* is a class of contexts that no condition tells apart. In it a share follows from buckets alone,
which are uniform, and independent for each salt. Cells that callers name are left out: nobody knows how many
do.
"""
