"""The equations of motion as right-hand sides: full electrons, slow electrons, moments alone.

    protocol         what integrators and runs ask of all three;  layout: what is where in the state
    electrons        full electrons: their equation, what leads take from them and the torque on moments, derived
    moments          the LLG equation, alone or beside electrons;  slow: with electrons integrated out
    kernels          compiled; `kernels.reference` is the same as it is written: LLG torque, flow into the leads
    changing_device  H(t);  shared: threads;  sample: what a row needs of a state;  propagator: for two-time functions
"""
