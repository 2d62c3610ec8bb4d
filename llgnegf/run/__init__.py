"""One run from its options to its rows: simulation, recorder, error budget, relaxation.

    options          all that can be asked for;  demands: what options, system and moments ask of one another;
                     memory, pace: what a run takes
    run              the one loop;  simulation: full electrons, moments alone;  slow_simulation: slow moments;
                     simulate: which of them is meant
    observables      the columns;  recorder: what they ask for, once a row;  watch: is rho still one
    error_budget     lead modes for rtol and what they cost in accuracy: run_errors, lead_errors, spectral_errors,
                     mode_choice;  shares: of rtol
    result           what is left, with result_text and result_file;  progress: of what takes long
    relax            static equilibrium;  thermal_noise, langevin: noise;  two_time;  array_run: on accelerators
"""
