#!/bin/bash
#PARITY before printf 'export FROM_RC=1\n' > rc.sh; printf 'helper() { echo "helper $1"; }\n' > lib.sh; mkdir bin; printf '#!/bin/sh\necho tool "$@"\n' > bin/tool; chmod +x bin/tool
. ./rc.sh; source "$SLURM_SUBMIT_DIR/lib.sh"; helper x; export PATH="$PWD/bin:$PATH"; tool 1 2; hash -r; command -v tool | sed "s,$PWD,P,"
BASH_ENV=rc.sh bash -c 'echo $FROM_RC'; echo "${BASH_SOURCE[0]##*/} $LINENO $BASH_SUBSHELL $SHLVL ${FUNCNAME-none}"
