"""Statistics, figures and reports from run records; never imports the simulator."""
