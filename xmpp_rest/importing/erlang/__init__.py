"""Values of Erlang, as servers written in it keep them in databases: as text, and in the external term format."""
