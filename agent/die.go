package main

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// dieBy ends this process by a signal, so that slurmstepd sees what the script's end was. Go keeps handlers for
// nearly all signals and prints its stacks for some: the kernel's own default action is put back past it. No core
// of the stand-in is of use to anyone.
func dieBy(signo int) int {
	runtime.LockOSThread()
	none := syscall.Rlimit{}
	syscall.Setrlimit(syscall.RLIMIT_CORE, &none)
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	// struct sigaction of the kernel, all zero: SIG_DFL, no flags, no mask. Longer than any architecture's.
	var action [8]uint64
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	set := uint64(1) << (signo - 1)
	const unblock = 1
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unblock, uintptr(unsafe.Pointer(&set)), 0, 8, 0, 0)
	// To this thread, so that it has happened when the call returns.
	syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(signo))
	return 128 + signo // a signal whose default is not death, as a shell would say it
}
