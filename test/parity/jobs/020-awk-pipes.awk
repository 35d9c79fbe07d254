#!/usr/bin/awk -f
BEGIN {
  "echo sub" | getline x; print x
  print "b\na" | "sort"; close("sort")
  print "to stderr" > "/dev/stderr"
  print "to a file" > "awk.txt"
  print ENVIRON["SLURM_JOB_NAME"]
  r = system("exit 3"); print "system", r
  exit 6
}
