"""What electrons make of moments that move: response to velocities at first order, to any frequency, and its noise.

    tensors          friction, geometric tensors and noise of one configuration, adaptive;  equilibrium: a common f;
                     bias: where leads differ in filling;  noise: their fluctuations;  pairs: G between the sites;
                     comparisons: other accounts of the same motion
    fast_tensors     the same for many configurations, what slow runs evaluate;  surface_rules: its energies;
                     bias_tensors, window_rules: where leads differ in filling;
                     kernel, chain_kernel, pair_kernel: its compiled sums
    linear_response  susceptibility at any frequency, memory kernel and inertia;  levels: what they are summed over
    magnons          small oscillations with all that;  spin_waves: the linearised LLG equation;  zeros: all of them
"""
