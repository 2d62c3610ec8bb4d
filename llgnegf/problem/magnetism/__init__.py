"""Classical moments: one energy term a class, terms add up; torques of currents and prescribed motion."""
