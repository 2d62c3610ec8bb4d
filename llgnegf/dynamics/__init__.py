"""The lab-frame propagator of G<(t,t): state, right-hand side, starts and integrators."""
