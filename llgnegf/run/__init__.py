"""One run from its options to its rows: simulation, recorder, error budget, relaxation."""
