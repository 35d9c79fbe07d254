#!/bin/bash
# As Nextflow's .command.run: the task's outputs through named pipes and tee, its exit in a file, all of it below a trap.
#PARITY ended sort -o .command.log .command.log
#SBATCH --job-name=nf-map_(1) --output=.command.log --no-requeue --signal=B:USR2@30
set -e
set -u
on_exit() {
  exit_status=${nxf_main_ret:=$?}; printf -- $exit_status > .exitcode; set +u
  [[ "${tee1:-}" ]] && kill $tee1 2>/dev/null; [[ "${tee2:-}" ]] && kill $tee2 2>/dev/null; [[ "${ctmp:-}" ]] && rm -rf $ctmp || true
  sync || true; exit $exit_status
}
on_term() { set +e; [[ "$pid" ]] && kill $pid; }
trap on_exit EXIT; trap on_term TERM INT USR2; trap '' USR1
printf '#!/bin/bash -ue\necho out; echo err >&2; exit 3\n' > .command.sh
ctmp=$(mktemp -d /tmp/nxf.XXXX); cout=$ctmp/.command.out; mkfifo $cout; cerr=$ctmp/.command.err; mkfifo $cerr
tee .command.out < $cout & tee1=$!
tee .command.err < $cerr >&2 & tee2=$!
( /bin/bash -ue .command.sh ) >$cout 2>$cerr & pid=$!
wait $pid || nxf_main_ret=$?
wait $tee1 $tee2
