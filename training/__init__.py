"""How the starter's networks are made; nothing here runs inside the grader."""
