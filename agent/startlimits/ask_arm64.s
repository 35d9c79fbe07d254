#include "textflag.h"

// func getNoFile(limit *[2]uint64) bool: prlimit64(0, RLIMIT_NOFILE, nil, limit) == 0
TEXT ·getNoFile(SB),NOSPLIT,$0-9
	MOVD	limit+0(FP), R3
	MOVD	$261, R8
	MOVD	$0, R0
	MOVD	$7, R1
	MOVD	$0, R2
	SVC
	CMP	$0, R0
	CSET	EQ, R0
	MOVB	R0, ret+8(FP)
	RET
