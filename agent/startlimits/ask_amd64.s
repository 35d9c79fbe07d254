#include "textflag.h"

// func getNoFile(limit *[2]uint64) bool: prlimit64(0, RLIMIT_NOFILE, nil, limit) == 0
TEXT ·getNoFile(SB),NOSPLIT,$0-9
	MOVQ	limit+0(FP), R10
	MOVQ	$302, AX
	MOVQ	$0, DI
	MOVQ	$7, SI
	MOVQ	$0, DX
	SYSCALL
	CMPQ	AX, $0
	SETEQ	ret+8(FP)
	RET
