"""Breaks parts of a running system, under load, and counts what its users notice.

python -m chaos            the whole matrix of faults and moments, and 200 random operations
python -m chaos --short    a few of each
"""
