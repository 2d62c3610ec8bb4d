"""What electrons make of moments that move: response to velocities at first order, to any frequency, and its noise.

    tensors          friction and geometric tensors of one configuration, adaptive;  pairs: G between the sites
    fast_tensors     the same for many configurations, what slow runs evaluate;  surface_rules: its energies;
                     kernel, chain_kernel, pair_kernel: its compiled sums
"""
