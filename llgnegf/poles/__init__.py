"""Leads and occupations as sums of poles: what the time-domain equations propagate."""
