"""Templates from strangers: Jinja2's sandbox, with bounds on all that a template may use."""
