package main

import (
	"os"
	"os/exec"
	"testing"
)

// rendezvous is what torchrun and torch.distributed do with MASTER_ADDR and MASTER_PORT: node 0 listens there, the others come.
const rendezvous = `import os, socket, time
node, nodes = int(os.environ["SLURM_NODEID"]), int(os.environ["SLURM_NNODES"])
at = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if node == 0:
    with socket.create_server(at) as server:
        others = [server.accept()[0] for _ in range(nodes - 1)]
        total = sum(int(o.recv(16)) for o in others)
        for o in others: o.sendall(b"%d" % total)
else:
    for _ in range(200):
        try: there = socket.create_connection(at); break
        except ConnectionRefusedError: time.sleep(0.05)
    there.sendall(b"%d" % node)
    total = int(there.recv(16))
print(node, "of", nodes, "sum", total)
`

// Nothing sets MASTER_ADDR, as under Slurm; what scripts make it of gives a name that every pod knows.
func TestTheFirstHostIsWhereTheOthersMeet(t *testing.T) {
	python, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		t.Skip("no /usr/bin/python3")
	}
	program := t.TempDir() + "/rendezvous.py"
	if err := os.WriteFile(program, []byte(rendezvous), 0o644); err != nil {
		t.Fatal(err)
	}
	team := startTeam(t, 3, 2)
	out, errs, code := team.run(`export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1) MASTER_PORT=` + freePort(t) + `
echo "$MASTER_ADDR"
srun --ntasks-per-node=1 ` + python + " " + program + "\n")
	if want := "0 of 3 sum 3\n1 of 3 sum 3\n2 of 3 sum 3\nn1"; sortedLines(out) != want || code != 0 {
		t.Fatalf("%d: %s\n%s", code, out, errs)
	}
}
