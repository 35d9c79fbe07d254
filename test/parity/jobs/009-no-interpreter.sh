#!/no/such/interpreter
echo not run
